"""What an append promises, over both databases."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text, update
from tests.appending import append_many, appending
from tests.rederive import read_log, rederive_all
from tests.stores import OpenStore, a_decision

from scriba.domain.record import Decision, Gap, Hidden, Mark, Outcome, Record
from scriba.errors import LogUnavailable
from scriba.storage.appender import Appender, StaleControl
from scriba.storage.database import Database
from scriba.storage.hot import MAX_CLOCK_SKEW
from scriba.storage.model import COMMAND_LINE, LogId, LogName, Role
from scriba.storage.tables import logs

if TYPE_CHECKING:
    from pathlib import Path

    from scriba.storage.model import Appended


def test_records_stand_in_the_order_of_their_seq(store: OpenStore) -> None:
    """Promise: every acknowledged entry is there once, and seq has no hole."""
    appended = append_many(store, 200)
    assert sorted(item.seq for item in appended) == list(range(1, 201))
    stored = read_log(store.store.database, store.requests)
    assert [record.leaf_hash for record in stored[1:]] == [
        item.leaf_hash for item in sorted(appended, key=lambda i: i.seq)
    ]
    assert {record.record.request_id for record in stored[1:] if isinstance(record.record, Decision)} == {
        f"r-{n}" for n in range(200)
    }
    rederive_all(store.store.database)


def test_what_was_written_is_read_back(store: OpenStore) -> None:
    """Promise: every field of every type of record survives the database."""
    org_id = store.organisation.id
    full = a_decision(
        org_id,
        allowed=True,
        enforcement="soft_block",
        model='m"\\/\u2028😀',
        provider="bedrock",
        requested_provider="deepseek",
        violation_reasons=("one", "two"),
        violation_codes=("china_based", "trust_tier"),
        operation="chat",
        canonical_model="deepseek-v3.1",
        upstream_model="deepseek.v3-v1:0",
        policy_slot=12,
        policy_version=3,
        policy_sha256="ab" * 32,
        catalogue_sha256="cd" * 32,
        attempt=2,
        retry_count=0,
        hidden=Hidden(
            api_key_id="key_x",
            client_request_id="order-1",
            ip_address="2001:db8::1",
            request_sha256="ef" * 32,
            tags=("a", "b"),
            user="Zoë 😀",
            user_agent="x" * 1000,
        ),
    )
    ingested = a_decision(org_id, source="ingest", occurred_at=1_736_519_400_000_001, hidden=Hidden(source_id="gw-1"))
    outcome = Outcome(decision=1, status=200, duration_ms=0, ended="complete", input_tokens=0, output_tokens=7)
    gap = Gap(start=1_736_519_400_000_000, end=1_736_519_400_000_001, reason="database unreachable", count=2)
    given: list[Record] = [full, ingested, outcome, Mark(), gap]

    async def work(appender: Appender) -> None:
        for record in given:
            await appender.append(store.requests, record)

    appending(store, work)
    stored = read_log(store.store.database, store.requests)
    assert [record.record for record in stored[1:]] == given
    rederive_all(store.store.database)


def test_nothing_is_acknowledged_before_it_is_committed(store: OpenStore) -> None:
    """Promise: when an append returns, another connection sees the record."""

    async def work(appender: Appender) -> None:
        for _ in range(20):
            appended = await appender.append(store.requests, a_decision(store.organisation.id))
            with store.store.database.read() as connection:
                found = connection.execute(
                    text("SELECT leaf_hash FROM records WHERE seq = :seq AND request_id IS NOT NULL"),
                    {"seq": appended.seq},
                )
                assert bytes(found.scalar_one()) == appended.leaf_hash

    appending(store, work)


def test_an_append_waits_for_the_head_lock(store: OpenStore) -> None:
    """Promise: nobody writes behind the back of whoever holds the head, such as the signer of a checkpoint."""
    order: list[str] = []
    locked = threading.Event()

    def hold() -> None:
        with store.store.database.write() as connection:
            store.store.hot.lock(connection, [store.requests])
            locked.set()
            time.sleep(0.3)
            order.append("released")

    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait()
    append_many(store, 1)
    order.append("appended")
    holder.join()
    assert order == ["released", "appended"]


def test_log_time_never_goes_back(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: a span of time is a contiguous run of records, even if the clock is set back."""
    first = append_many(store, 1)[0]
    monkeypatch.setattr(store.store.database, "clock", lambda _connection: first.log_time - 5_000_000)
    second = append_many(store, 1)[0]
    assert second.log_time == first.log_time
    rederive_all(store.store.database)


def test_a_wrong_clock_stops_the_log(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: a clock from the future cannot freeze the log there: it is not written."""
    future = time.time_ns() // 1000 + MAX_CLOCK_SKEW + 1_000_000
    monkeypatch.setattr(store.store.database, "clock", lambda _connection: future)
    with pytest.raises(LogUnavailable, match="clocks"):
        append_many(store, 1)
    monkeypatch.undo()
    assert append_many(store, 1)[0].seq == 1


def test_the_database_clock_is_read_after_the_lock(store: OpenStore) -> None:
    """Promise: the time of a record is when it was written, not when its transaction began to wait."""
    with store.store.database.write() as connection:
        before = store.store.database.clock(connection)
        time.sleep(0.05)
        assert store.store.database.clock(connection) >= before + 50_000


def test_a_change_of_keys_or_policies_makes_older_decisions_stale(store: OpenStore) -> None:
    """Promise: no entry is decided under settings that were changed before it was written."""
    control = store.control

    async def work(appender: Appender) -> Appended:
        before = control.state.revision
        await appender.append(store.requests, a_decision(store.organisation.id), revision=before)
        control.create_key(store.organisation.id, role=Role.APP, actor=COMMAND_LINE)
        with pytest.raises(StaleControl):
            await appender.append(store.requests, a_decision(store.organisation.id), revision=before)
        return await appender.append(store.requests, a_decision(store.organisation.id), revision=control.state.revision)

    assert appending(store, work).seq == 2
    rederive_all(store.store.database)


def test_stale_and_fresh_records_may_share_a_batch(store: OpenStore) -> None:
    """Promise: a stale decision takes nothing with it."""
    revision = store.control.state.revision

    async def work(appender: Appender) -> list[Any]:
        return await asyncio.gather(
            *(
                appender.append(store.requests, a_decision(store.organisation.id), revision=revision - n % 2)
                for n in range(10)
            ),
            return_exceptions=True,
        )

    results = appending(store, work)
    assert [isinstance(result, StaleControl) for result in results] == [bool(n % 2) for n in range(10)]
    assert rederive_all(store.store.database)[store_origin(store)] == 6


def test_organisations_do_not_share_logs(store: OpenStore) -> None:
    """Promise: each organisation has its own log, keys and order, even in one transaction."""
    other = store.control.create_organisation("other", actor=COMMAND_LINE)
    theirs = LogId(other.id, LogName.REQUESTS)

    async def work(appender: Appender) -> None:
        await asyncio.gather(
            *(
                appender.append(
                    store.requests if n % 3 else theirs, a_decision(store.organisation.id if n % 3 else other.id)
                )
                for n in range(60)
            ),
        )

    appending(store, work)
    database = store.store.database
    for log, count in ((store.requests, 40), (theirs, 20)):
        stored = read_log(database, log)
        assert len(stored) == count + 1
        assert {r.record.org_id for r in stored if isinstance(r.record, Decision)} == {log.org_id}
    rederive_all(database)


_WRITER = """
import asyncio, sys
from pathlib import Path
from tests.appending import append_many
from tests.stores import OpenStore
store = OpenStore.open(Path(sys.argv[1]), sys.argv[2])
for _ in range(10):
    append_many(store, 30)
"""


def test_two_processes_write_one_log(store: OpenStore) -> None:
    """Promise: any number of processes may share a database; seq has no hole and no double."""
    command = [sys.executable, "-c", _WRITER, str(store.folder), store.url]
    writers = [subprocess.Popen(command) for _ in range(2)]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    assert rederive_all(store.store.database)[store_origin(store)] == 601


def test_a_head_changed_from_outside_stops_the_log(store: OpenStore) -> None:
    """Promise: who can write the database cannot have us continue a log that they changed."""
    append_many(store, 3)
    with store.store.database.write() as connection:
        connection.execute(
            update(logs).where(logs.c.org_id == store.organisation.id).values(last_time=logs.c.last_time + 1)
        )
    with pytest.raises(LogUnavailable, match="changed from outside"):
        append_many(store, 1)


def test_a_rolled_back_database_is_noticed_at_the_next_append(store: OpenStore) -> None:
    """Promise: a process remembers how far the log had come and writes nothing to an older state."""
    append_many(store, 2)
    with store.store.database.read() as connection:
        older = (
            connection.execute(text("SELECT * FROM logs WHERE org_id = :org"), {"org": store.organisation.id})
            .mappings()
            .all()
        )
    append_many(store, 2)
    with store.store.database.write() as connection:
        connection.execute(text("DELETE FROM records WHERE seq > 2 AND request_id IS NOT NULL"))
        for head in older:
            values = {name: head[name] for name in ("size", "last_time", "frontier", "seal")}
            connection.execute(update(logs).where(logs.c.id == head["id"]).values(values))
    with pytest.raises(LogUnavailable, match="rolled back"):
        append_many(store, 1)


def test_a_rollback_is_noticed_although_others_have_written_since(store: OpenStore) -> None:
    """Promise: a process looks for its own last record, not only at how long the log is."""
    append_many(store, 2)
    other = OpenStore.open(store.folder, store.url)
    with store.store.database.read() as connection:
        older = connection.execute(text("SELECT * FROM logs")).mappings().all()
    append_many(store, 2)
    with store.store.database.write() as connection:
        connection.execute(text("DELETE FROM records WHERE seq > 2 AND request_id IS NOT NULL"))
        for head in older:
            values = {name: head[name] for name in ("size", "last_time", "frontier", "seal")}
            connection.execute(update(logs).where(logs.c.id == head["id"]).values(values))
    append_many(other, 5)
    other.close()
    with pytest.raises(LogUnavailable, match="rolled back"):
        append_many(store, 1)


def test_a_lock_that_somebody_holds_is_not_waited_for_without_end(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise: a head that another session keeps locked costs a 503, not a request that hangs."""
    monkeypatch.setattr("scriba.storage.database.PATIENCE_SECONDS", 0.2)
    store = OpenStore.open(tmp_path, database_url)
    with store.store.database.write() as connection:
        store.store.hot.lock(connection, [store.requests])
        with pytest.raises(LogUnavailable):
            append_many(store, 1)
    assert [item.seq for item in append_many(store, 1)] == [1]
    store.close()


def test_a_commit_waits_for_the_disk_whatever_the_server_says(store: OpenStore) -> None:
    """Promise: a server whose default is to answer before the commit is durable does not weaken the log."""
    if store.store.database.dialect == "sqlite":
        with store.store.database.write() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
        return
    name = store.store.database.url.database
    with store.store.database.write() as connection:
        connection.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = off'))
    fresh = Database(store.url)
    with fresh.write() as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar_one() == "on"
    fresh.close()


def test_changes_of_another_organisation_make_nothing_stale(store: OpenStore) -> None:
    """Promise: one tenant's administrator cannot slow down or stop another tenant's requests."""
    other = store.control.create_organisation("other", actor=COMMAND_LINE)
    revision = store.control.state.revision
    store.control.create_key(other.id, role=Role.APP, actor=COMMAND_LINE)

    async def work(appender: Appender) -> Appended:
        return await appender.append(store.requests, a_decision(store.organisation.id), revision=revision)

    assert appending(store, work).seq == 1


def store_origin(store: OpenStore) -> str:
    """Return the origin of the organisation's log of requests."""
    return f"{store.store.deployment}/tlog/{store.organisation.id}/requests/1"
