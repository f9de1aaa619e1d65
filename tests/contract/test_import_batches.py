"""Verifying that imports fit their headers, on both databases: what only who has the secret can forge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.stores import OpenStore, a_decision

from scriba.audit.verification import Verifier, verify_log
from scriba.domain.record import ImportBatch, Record, Stored
from scriba.ledger.batches import ImportBatches
from scriba.storage.hot import pending
from scriba.storage.model import LogId, LogName

if TYPE_CHECKING:
    from scriba.ledger.verifier import Verification


def append(store: OpenStore, *records: Record) -> None:
    """Append records to the log `imports`, as a program gone wrong might."""
    log = LogId(store.organisation.id, LogName.IMPORTS)
    with store.store.database.write() as connection:
        store.store.hot.append(connection, [pending(log, record) for record in records])


def header(count: int, first: int, last: int) -> ImportBatch:
    """Make the header of an import."""
    return ImportBatch(count=count, first_timestamp=first, last_timestamp=last, source_sha256="ab" * 32)


def told(store: OpenStore, timestamp: int, **fields: object) -> Record:
    """Make an imported decision."""
    return a_decision(store.organisation.id, source="import", timestamp=timestamp, **fields)


def verify(store: OpenStore) -> Verification:
    """Verify the log `imports`."""
    return verify_log(store.store.database, store.store.keyring, LogId(store.organisation.id, LogName.IMPORTS))


def found(result: Verification) -> list[tuple[int | None, str]]:
    """Return where what was found is."""
    return [(finding.seq, finding.field) for finding in result.findings]


def test_batches_that_fit(store: OpenStore) -> None:
    """Promise: imports as the program writes them verify, also with equal timestamps."""
    append(store, header(3, 5, 9), told(store, 5), told(store, 9), told(store, 9))
    append(store, header(1, 1, 1), told(store, 1))
    assert found(verify(store)) == []


@pytest.mark.parametrize(
    ("said", "times", "expected"),
    [
        ((3, 5, 9), (5, 9), [(4, "count")]),
        ((1, 5, 5), (5, 9), [(3, "count")]),
        ((3, 5, 9), (5, 9, 8), [(4, "timestamp")]),
        ((2, 4, 9), (5, 9), [(2, "timestamp")]),
        ((2, 5, 8), (5, 9), [(3, "timestamp")]),
        ((2, 5, 10), (5, 9), [(3, "timestamp")]),
        ((3, 5, 9), (5, 10, 9), [(3, "timestamp"), (4, "timestamp")]),
        ((2, 6, 9), (5, 9), [(2, "timestamp")]),
    ],
)
def test_batches_that_do_not(
    store: OpenStore, said: tuple[int, int, int], times: tuple[int, ...], expected: list[tuple[int, str]]
) -> None:
    """Promise: a header that says other than what follows it is found, with the record where they part."""
    append(store, header(*said), *(told(store, time) for time in times))
    assert found(verify(store)) == expected


def test_a_batch_that_another_one_interrupts(store: OpenStore) -> None:
    """Promise: a batch that ends too early is found where the next begins, and the next is judged by itself."""
    append(store, header(2, 5, 9), told(store, 5), header(1, 7, 7), told(store, 7))
    assert found(verify(store)) == [(3, "count")]


def test_ids_that_are_not_unique(store: OpenStore) -> None:
    """Promise: an id that stands twice in the log is found, in one batch or in two, read at once or later."""
    append(store, header(2, 5, 9), told(store, 5, id="audit_a"), told(store, 9, id="audit_b"))
    checked = Verifier(store.store.database, store.store.keyring)
    assert checked.verify(store.organisation.id)["imports"].ok
    append(store, header(2, 5, 9), told(store, 5, id="audit_b"), told(store, 9, id="audit_b"))
    for result in (verify(store), checked.verify(store.organisation.id)["imports"]):
        assert found(result) == [(5, "id"), (6, "id")]
        assert "the id of record 3" in result.findings[0].message


def test_batches_are_followed_across_two_verifications(store: OpenStore) -> None:
    """Promise: whoever verifies only what is new judges it as whoever reads everything does."""
    checked = Verifier(store.store.database, store.store.keyring)
    assert checked.verify(store.organisation.id)["imports"].ok
    append(store, header(1, 5, 5), told(store, 5))
    assert checked.verify(store.organisation.id)["imports"].ok
    append(store, told(store, 6))
    assert found(checked.verify(store.organisation.id)["imports"]) == [(3, "count")] == found(verify(store))


def test_a_copy_goes_on_by_itself() -> None:
    """Promise: a verification that breaks off leaves what the one before it knew as it was."""
    kept = ImportBatches()
    assert not list(kept.examine(Stored(seq=1, log_time=1, leaf_hash=b"", record=header(1, 5, 5))))
    assert len(list(kept.copy().end(2))) == 1
    assert len(list(kept.end(2))) == 1
    assert not list(kept.end(2))
