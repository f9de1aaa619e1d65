"""What imports promise, over both databases."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from tests.rederive import read_log, rederive_all
from tests.stores import a_decision

from scriba.audit.imports import Imported, Importer
from scriba.audit.told import ToldEntry
from scriba.audit.verification import verify_log
from scriba.domain.record import Decision, ImportBatch
from scriba.domain.timestamp import format_timestamp
from scriba.errors import InvalidInput
from scriba.storage.hot import pending
from scriba.storage.model import COMMAND_LINE, LogId, LogName

if TYPE_CHECKING:
    from tests.stores import OpenStore

START = 1_736_519_400_000_000


def an_entry(number: int, **fields: Any) -> ToldEntry:
    """Make an entry of a history; the later ones are the older ones."""
    plain: dict[str, Any] = {
        "id": f"old-{number}",
        "request_id": f"req-{number}",
        "timestamp": format_timestamp(START - number * 1_000_000),
        "model": "gpt-4o",
        "provider": "openai",
        "policy_id": "gpol_xxx",
        "policy_name": "Production",
        "allowed": True,
        "enforcement": "hard_block",
    }
    return ToldEntry(**plain | fields)


def bring_in(store: OpenStore, entries: list[ToldEntry | InvalidInput], source: str = "a file") -> Imported:
    """Import entries for the store's organisation."""
    digest = sha256(source.encode()).hexdigest()
    return Importer(store.store).import_entries(store.organisation.id, entries, digest)


def imports_of(store: OpenStore) -> LogId:
    """Return the log that history goes to."""
    return LogId(store.organisation.id, LogName.IMPORTS)


def decisions(store: OpenStore) -> list[Decision]:
    """Return what was imported."""
    records = (stored.record for stored in read_log(store.store.database, imports_of(store)))
    return [record for record in records if isinstance(record, Decision)]


def test_a_batch_has_its_header_and_is_in_the_order_of_time(store: OpenStore) -> None:
    """Promise: the header tells count, span and source; ids and times are those of the source."""
    result = bring_in(store, [an_entry(number) for number in range(5)])
    assert (result.imported, result.skipped, result.refused) == (5, 0, ())
    header, *rest = [stored.record for stored in read_log(store.store.database, imports_of(store))][1:]
    assert header == ImportBatch(
        count=5,
        first_timestamp=START - 4_000_000,
        last_timestamp=START,
        source_sha256=sha256(b"a file").hexdigest(),
    )
    assert [record.id for record in rest if isinstance(record, Decision)] == [f"old-{n}" for n in (4, 3, 2, 1, 0)]
    assert all(isinstance(record, Decision) and record.source == "import" for record in rest)
    rederive_all(store.store.database)
    assert verify_log(store.store.database, store.store.keyring, imports_of(store)).ok


def test_the_same_source_is_imported_once(store: OpenStore) -> None:
    """Promise: running an import again writes nothing, whether its entries have ids or not."""
    entries: list[ToldEntry | InvalidInput] = [an_entry(1), an_entry(2, id=None), an_entry(3, id=None, request_id=None)]
    assert bring_in(store, entries).imported == 3
    assert bring_in(store, entries) == Imported(imported=0, skipped=3, refused=())
    assert len(decisions(store)) == 3


def test_entries_without_ids_are_known_again_in_other_surroundings(store: OpenStore) -> None:
    """Promise: a file that has grown adds only what is new; two equal entries of one file are two."""
    alike = [an_entry(1, id=None, request_id=None)] * 2
    assert bring_in(store, [*alike]).imported == 2
    grown = bring_in(store, [*alike, an_entry(2, id=None)], "a longer file")
    assert (grown.imported, grown.skipped, grown.refused) == (1, 2, ())
    assert len({decision.id for decision in decisions(store)}) == 3
    other = store.control.create_organisation("other", actor=COMMAND_LINE)
    Importer(store.store).import_entries(other.id, alike, "ab" * 32)
    elsewhere = read_log(store.store.database, LogId(other.id, LogName.IMPORTS))
    assert {decision.id for decision in decisions(store)}.isdisjoint(
        stored.record.id for stored in elsewhere if isinstance(stored.record, Decision)
    )


def test_an_id_that_exists_is_refused(store: OpenStore) -> None:
    """Promise: whether it is in `requests`, in `imports` or twice in the batch; the others are imported."""
    live = a_decision(store.organisation.id)
    with store.store.database.write() as connection:
        store.store.hot.append(connection, [pending(store.requests, live)])
    bring_in(store, [an_entry(1)])
    result = bring_in(store, [an_entry(1), an_entry(9, id=live.id), an_entry(2), an_entry(2)], "another file")
    assert result.imported == 1
    assert [(one.index, one.param) for one in result.refused] == [(0, "id"), (1, "id"), (3, "id")]
    again = bring_in(store, [an_entry(1), an_entry(9, id=live.id), an_entry(2), an_entry(2)], "another file")
    assert (again.imported, again.skipped) == (0, 1)
    assert again.refused == result.refused
    rederive_all(store.store.database)


def test_bad_entries_are_refused_one_by_one(store: OpenStore) -> None:
    """Promise: each with its place and field; if none is good there is no header either."""
    bad: list[ToldEntry | InvalidInput] = [
        InvalidInput("unreadable", param="x"),
        an_entry(1, timestamp=None),
        an_entry(2, model="\x00"),
        an_entry(3, id=None, user="\ud800"),
        an_entry(4, enforcement="no"),
    ]
    result = bring_in(store, bad)
    assert [one.index for one in result.refused] == [0, 1, 2, 3, 4]
    assert [one.param for one in result.refused] == ["x", "timestamp", "model", "user", "enforcement"]
    assert len(read_log(store.store.database, imports_of(store))) == 1
    assert bring_in(store, [*bad, an_entry(5)]).imported == 1
