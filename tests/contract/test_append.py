"""What an append promises, over both databases."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from sqlalchemy import text, update
from tests.rederive import read_log, rederive_all
from tests.stores import OpenStore, a_decision

from scriba.domain.record import Decision, Gap, Hidden, Mark, Outcome, Record
from scriba.errors import LogUnavailable, StoreUnreachable
from scriba.storage.appender import Appender, StaleControl
from scriba.storage.database import Database
from scriba.storage.hot import MAX_CLOCK_SKEW
from scriba.storage.model import COMMAND_LINE, LogId, LogName, Role
from scriba.storage.tables import logs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from scriba.storage.model import Appended


T = TypeVar("T")


def appending(store: OpenStore, work: Callable[[Appender], Awaitable[T]]) -> T:
    """Run something with an appender on an event loop, and close it in the end."""

    async def run() -> T:
        appender = Appender(store.store.database, store.store.hot)
        appender.start()
        try:
            return await work(appender)
        finally:
            await appender.close()

    return asyncio.run(run())


def append_many(store: OpenStore, count: int, log: LogId | None = None) -> list[Appended]:
    """Append decisions, all at once."""
    where = log or store.requests

    async def work(appender: Appender) -> list[Appended]:
        return await asyncio.gather(
            *(appender.append(where, a_decision(where.org_id, request_id=f"r-{n}")) for n in range(count)),
        )

    return appending(store, work)


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
from tests.contract.test_append import append_many
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


class Breakdown:
    """Makes transactions of a database fail at their commit: before it, or after it has happened."""

    def __init__(self, store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
        self._write = store.store.database.write
        self.fail_before = 0
        self.fail_after = 0
        monkeypatch.setattr(store.store.database, "write", self.write)

    def wait_until_spent(self) -> None:
        """Wait until every failure before a commit has happened."""
        while self.fail_before:
            time.sleep(0.01)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Write like the database itself, but for the failures that were asked for."""
        with self._write() as connection:
            yield connection
            if self.fail_before:
                self.fail_before -= 1
                raise StoreUnreachable("The connection was lost before the commit.")
        if self.fail_after:
            self.fail_after -= 1
            raise StoreUnreachable("The connection was lost after the commit.")


def test_a_commit_whose_answer_was_lost_counts_once(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: an unknown outcome is looked up, not guessed: what is on disk is acknowledged, and not written twice."""
    breakdown = Breakdown(store, monkeypatch)
    breakdown.fail_after = 1
    assert [item.seq for item in append_many(store, 1)] == [1]
    assert [item.seq for item in append_many(store, 1)] == [2]
    rederive_all(store.store.database)


def test_a_commit_that_failed_leaves_nothing(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: who is told that the entry was not written can rely on it."""
    breakdown = Breakdown(store, monkeypatch)
    breakdown.fail_before = 1
    with pytest.raises(LogUnavailable):
        append_many(store, 1)
    assert [item.seq for item in append_many(store, 1)] == [1]
    rederive_all(store.store.database)


def test_nobody_waits_for_a_submitted_record_and_none_is_lost(
    store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise: outcomes survive failures before and after a commit, each is there once."""
    breakdown = Breakdown(store, monkeypatch)

    async def work(appender: Appender) -> None:
        await appender.append(store.requests, a_decision(store.organisation.id))
        breakdown.fail_before = breakdown.fail_after = 1
        for n in range(5):
            appender.submit(store.requests, Outcome(decision=1, status=200 + n, duration_ms=1, ended="complete"))

    appending(store, work)
    stored = read_log(store.store.database, store.requests)
    assert [record.record.status for record in stored if isinstance(record.record, Outcome)] == [
        200,
        201,
        202,
        203,
        204,
    ]
    rederive_all(store.store.database)


def test_a_gap_is_recorded_as_soon_as_the_log_can_be_written(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: requests that were let through unlogged are counted in the log itself."""
    breakdown = Breakdown(store, monkeypatch)

    async def work(appender: Appender) -> None:
        breakdown.fail_before = 2
        for _ in range(3):
            appender.note_unlogged(store.requests, "database unreachable")
        await asyncio.to_thread(breakdown.wait_until_spent)

    appending(store, work)
    gaps = [r.record for r in read_log(store.store.database, store.requests) if isinstance(r.record, Gap)]
    assert sum(gap.count or 0 for gap in gaps) == 3
    assert {gap.reason for gap in gaps} == {"database unreachable"}
    rederive_all(store.store.database)


def test_a_clock_set_back_does_not_end_the_writer(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: whatever the clock does while requests are let through, later ones are written."""
    breakdown = Breakdown(store, monkeypatch)

    async def work(appender: Appender) -> Appended:
        breakdown.fail_before = 1
        times = iter([2_000_000_000_000_000_000, 1_000_000_000_000_000_000])
        with monkeypatch.context() as patch:
            patch.setattr("scriba.storage.gaps.time.time_ns", lambda: next(times))
            appender.note_unlogged(store.requests, "database unreachable")
            appender.note_unlogged(store.requests, "database unreachable")
        await asyncio.to_thread(breakdown.wait_until_spent)
        return await appender.append(store.requests, a_decision(store.organisation.id))

    assert appending(store, work).seq
    rederive_all(store.store.database)


def test_what_the_database_refuses_for_a_while_is_not_dropped(store: OpenStore) -> None:
    """Promise: an outcome that a constraint or a missing right refuses is written once the cause is gone."""
    database = store.store.database

    def rogue(statement: str) -> None:
        with database.write() as connection:
            connection.execute(text(statement))

    async def work(appender: Appender) -> Appended:
        await appender.append(store.requests, a_decision(store.organisation.id))
        # Somebody else's row stands where the next record belongs.
        await asyncio.to_thread(
            rogue,
            "INSERT INTO records (log_id, seq, log_time, timestamp, leaf_hash, type) "
            "SELECT log_id, 2, log_time, timestamp, leaf_hash, 'mark' FROM records WHERE seq = 1 AND model IS NOT NULL",
        )
        appender.submit(store.requests, Outcome(decision=1, status=200, duration_ms=1, ended="complete"))
        with pytest.raises(LogUnavailable, match="refused"):
            await appender.append(store.requests, a_decision(store.organisation.id))
        await asyncio.to_thread(rogue, "DELETE FROM records WHERE type = 'mark'")
        return await appender.append(store.requests, a_decision(store.organisation.id))

    appending(store, work)
    stored = read_log(database, store.requests)
    assert sorted(type(one.record).__name__ for one in stored) == ["Decision", "Decision", "LogStart", "Outcome"]
    rederive_all(database)


def test_an_entry_that_was_refused_as_unknown_is_not_written_later(
    store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise: who was told 503 because nobody knew does not appear in the log afterwards, unless it was committed."""
    monkeypatch.setattr("scriba.storage.appender._SETTLE_SECONDS", 0)
    monkeypatch.setattr("scriba.storage.appender._RETRY_SECONDS", 0.01)
    breakdown = Breakdown(store, monkeypatch)

    async def work(appender: Appender) -> None:
        breakdown.fail_before = 10
        with pytest.raises(LogUnavailable, match="did not say"):
            await appender.append(store.requests, a_decision(store.organisation.id))
        breakdown.fail_before = 0
        await appender.append(store.requests, a_decision(store.organisation.id, request_id="later"))

    appending(store, work)
    stored = read_log(store.store.database, store.requests)
    assert [one.record.request_id for one in stored if isinstance(one.record, Decision)] == ["later"]
    rederive_all(store.store.database)


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


def test_an_outage_is_told_once_and_so_is_its_end(
    store: OpenStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Promise: whoever is paged finds in the server's log when the log could not be written, why, and until when."""

    def unreachable() -> AbstractContextManager[Connection]:
        raise StoreUnreachable("The disk is full.")

    async def work(appender: Appender) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(store.store.database, "write", unreachable)
            for _ in range(3):
                with pytest.raises(LogUnavailable, match="disk is full"):
                    await appender.append(store.requests, a_decision(store.organisation.id))
        await appender.append(store.requests, a_decision(store.organisation.id))

    appending(store, work)
    told = [record.getMessage() for record in caplog.records if record.name == "scriba.appender"]
    assert told == ["The log cannot be written: The disk is full.", "The log can be written again."]


def test_a_closing_log_takes_no_more(store: OpenStore) -> None:
    """Promise: at the end what waits is written, and who comes later is told to try again."""

    async def work(appender: Appender) -> None:
        waiting = [
            asyncio.ensure_future(appender.append(store.requests, a_decision(store.organisation.id))) for _ in range(50)
        ]
        await asyncio.sleep(0)
        await appender.close()
        assert sorted(item.seq for item in await asyncio.gather(*waiting)) == list(range(1, 51))
        with pytest.raises(LogUnavailable, match="shutting down"):
            await appender.append(store.requests, a_decision(store.organisation.id))

    appending(store, work)
    rederive_all(store.store.database)


def store_origin(store: OpenStore) -> str:
    """Return the origin of the organisation's log of requests."""
    return f"{store.store.deployment}/tlog/{store.organisation.id}/requests/1"
