"""What an append promises while the database fails, over both databases."""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from tests.appending import append_many, appending
from tests.rederive import read_log, rederive_all
from tests.stores import OpenStore, a_decision

from scriba.domain.record import Decision, Gap, Outcome
from scriba.errors import LogUnavailable, StoreUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from scriba.storage.appender import Appender
    from scriba.storage.model import Appended


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
