"""What ingest promises, over both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from threading import Barrier
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from sqlalchemy import select, update
from tests.ageing import live
from tests.purging import purge
from tests.rederive import read_log, rederive_all

from scriba.audit.ingest import Ingest, Ingested, Teller
from scriba.domain.secret import Secret
from scriba.errors import Conflict, IntegrityError, InvalidInput
from scriba.storage.idempotency import KEEP_MICROS, PURPOSE, Repeat, answer_of, keep_answer
from scriba.storage.model import COMMAND_LINE, Role
from scriba.storage.tables import idempotency_keys

if TYPE_CHECKING:
    from tests.ageing import Clock
    from tests.stores import OpenStore

THREADS = 3  # as many writers as a database has
ENTRY: dict[str, Any] = {
    "model": "gpt-4o",
    "provider": "openai",
    "allowed": True,
    "policyId": "gpol_theirs",
    "policyName": "Theirs",
    "enforcement": "warn",
}


@pytest.fixture
def key_id(store: OpenStore) -> str:
    """Make an API key and return its id."""
    return store.control.create_key(store.organisation.id, role=Role.INGEST, actor=COMMAND_LINE)[0].id


def repeat(store: OpenStore, key_id: str, name: str, content: bytes = b"") -> Repeat:
    """Make what one request is told apart by."""
    secret = store.store.keyring.shared_key(PURPOSE)
    return Repeat(key_id=key_id, name=name, content_sha256=sha256(content).digest(), secret=secret)


def tell(store: OpenStore, entries: list[Any], **options: Any) -> Ingested:
    """Report entries for the store's organisation."""
    return Ingest(store.store).write(Teller(store.organisation.id), entries, **options)


def size(store: OpenStore) -> int:
    """Return how many records `requests` has beside its first."""
    return len(read_log(store.store.database, store.requests)) - 1


def test_a_batch_is_written_whole(store: OpenStore) -> None:
    """Promise: a large batch is one run of the log, in its order, each with a receipt."""
    ingested = tell(store, [{**ENTRY, "requestId": f"r{number}"} for number in range(500)])
    assert [entry.seq for entry in ingested.entries] == list(range(1, 501))
    assert len({entry.receipt for entry in ingested.entries}) == 500
    assert len({entry.timestamp for entry in ingested.entries}) == 1
    rederive_all(store.store.database)


def test_one_bad_entry_refuses_the_batch(store: OpenStore) -> None:
    """Promise: nothing is written, and index and field are named; a partial batch leaves only the bad ones out."""
    batch = [ENTRY, {**ENTRY, "user": "\x00"}, ENTRY]
    with pytest.raises(InvalidInput) as caught:
        tell(store, batch)
    assert caught.value.param == "[1].user"
    assert size(store) == 0
    ingested = tell(store, batch, partial=True)
    assert len(ingested.entries) == size(store) == 2
    assert [one.index for one in ingested.refused] == [1]


def test_of_repeats_at_the_same_moment_one_writes(store: OpenStore, key_id: str) -> None:
    """Promise: all of them get the same answer, and the log has the batch once."""
    together = Barrier(THREADS, timeout=30)

    def write(_: int) -> Ingested:
        together.wait()
        return tell(store, [ENTRY] * 3, repeat=repeat(store, key_id, "same"))

    for _ in range(3):
        with ThreadPoolExecutor(THREADS) as pool:
            answers = list(pool.map(write, range(THREADS)))
        assert len({msgspec.json.encode(answer) for answer in answers}) == 1
        assert size(store) == 3
    rederive_all(store.store.database)


def test_other_content_under_the_same_name_is_a_conflict(store: OpenStore, key_id: str) -> None:
    """Promise: neither is it written nor is the first answer lost; another API key has names of its own."""
    tell(store, [ENTRY], repeat=repeat(store, key_id, "name", b"one"))
    with pytest.raises(Conflict):
        tell(store, [ENTRY, ENTRY], repeat=repeat(store, key_id, "name", b"two"))
    again = repeat(store, key_id, "name", b"one")
    tell(store, [ENTRY], repeat=again)
    assert again.replayed
    assert size(store) == 1
    other = store.control.create_key(store.organisation.id, role=Role.INGEST, actor=COMMAND_LINE)[0].id
    tell(store, [ENTRY], repeat=repeat(store, other, "name", b"two"))
    assert size(store) == 2


def test_a_repeat_of_what_was_purged_is_a_conflict(store: OpenStore, clock: Clock, key_id: str) -> None:
    """Promise: nothing is written twice, and whoever repeats so late is told why there is no answer."""
    tell(store, [ENTRY], repeat=repeat(store, key_id, "name"))
    store.control.update_organisation(store.organisation.id, retention_days=1, actor=COMMAND_LINE)
    live(store, clock, 3)
    purge(store)
    before = size(store)
    with pytest.raises(Conflict, match="retention has removed"):
        tell(store, [ENTRY], repeat=repeat(store, key_id, "name"))
    assert size(store) == before


def test_a_claim_goes_with_its_transaction(store: OpenStore, key_id: str) -> None:
    """Promise: a request that fails leaves its name free."""
    with suppress(ZeroDivisionError), store.store.database.write() as connection:
        assert answer_of(connection, repeat(store, key_id, "name", b"one")) is None
        raise ZeroDivisionError
    tell(store, [ENTRY], repeat=repeat(store, key_id, "name", b"two"))
    assert size(store) == 1


def test_answers_are_kept_encrypted_and_for_a_time(store: OpenStore, key_id: str) -> None:
    """Promise: a copied database shows no answer, one that was moved or changed is not believed, old ones go."""
    kept = repeat(store, key_id, "first")
    with store.store.database.write() as connection:
        answer_of(connection, kept)
        keep_answer(connection, kept, b"whsec_secret", 1_000)
        row = connection.execute(select(idempotency_keys.c.answer)).scalar_one()
        assert b"whsec_secret" not in row
        assert answer_of(connection, kept) == b"whsec_secret"
    foreign = msgspec.structs.replace(kept, secret=Secret(bytes(32)))
    with pytest.raises(IntegrityError), store.store.database.write() as connection:
        answer_of(connection, foreign)
    with store.store.database.write() as connection:
        connection.execute(update(idempotency_keys).values(name="second"))
    with pytest.raises(IntegrityError), store.store.database.write() as connection:
        answer_of(connection, repeat(store, key_id, "second"))
    with store.store.database.write() as connection:
        for name, now in (("young", KEEP_MICROS), ("old", KEEP_MICROS + 1_000)):
            item = repeat(store, key_id, name)
            answer_of(connection, item)
            keep_answer(connection, item, b"", now)
        names = set(connection.execute(select(idempotency_keys.c.name)).scalars())
    assert names == {"young", "old"}
