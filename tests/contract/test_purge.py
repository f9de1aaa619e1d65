"""Purging what is older than the retention, on both databases."""

from __future__ import annotations

import gzip
import hashlib
import json
import stat
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select, update
from tests.ageing import Clock, decide, live
from tests.purging import REQUESTS, assert_intact, events, head, purge, retention, rows, verified
from tests.stores import OpenStore, a_decision

from scriba.audit.purged import PURGED
from scriba.audit.query import AuditLog
from scriba.audit.retention import Retention
from scriba.domain.period import DAY
from scriba.domain.record import Event, Mark
from scriba.errors import Conflict, IntegrityError, InvalidInput, NotFound
from scriba.merkle.tree import extend_frontier, leaf_hash, root_hash
from scriba.storage.control import Control
from scriba.storage.hot import HotLogs, pending
from scriba.storage.marks import write_marks
from scriba.storage.model import COMMAND_LINE, LogId, LogName
from scriba.storage.tables import records

if TYPE_CHECKING:
    from pathlib import Path


# Marks


def test_one_mark_a_day_for_a_log_that_grew(store: OpenStore, clock: Clock) -> None:
    """Promise: a log gets a mark for each day that it grew on, and none else."""
    database, hot = store.store.database, store.store.hot
    decide(store, 1)
    assert write_marks(database, hot) == [store.requests]  # it began on the day before
    decide(store, 1)
    assert write_marks(database, hot) == []
    clock.pass_days(1)
    assert write_marks(database, hot) == [store.requests]
    assert write_marks(database, hot) == []
    decide(store, 1)
    assert write_marks(database, hot) == []
    clock.pass_days(1)
    assert write_marks(database, hot, store.organisation.id) == [store.requests]
    clock.pass_days(1)
    assert write_marks(database, hot) == []
    assert [type(stored.record) for stored in rows(store)].count(Mark) == 3
    assert_intact(store)


def test_two_processes_write_one_mark(store: OpenStore, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: whether a mark is due is decided with the head locked."""
    database, hot = store.store.database, store.store.hot
    decide(store, 1)
    clock.pass_days(1)
    other = HotLogs(database, store.store.keyring)
    lock = HotLogs.lock

    def lock_late(self: HotLogs, connection: Any, wanted: Any) -> Any:
        monkeypatch.setattr(HotLogs, "lock", lock)
        if database.dialect == "postgresql":
            write_marks(database, other)
        return lock(self, connection, wanted)

    monkeypatch.setattr(HotLogs, "lock", lock_late)
    write_marks(database, hot)
    write_marks(database, other)
    assert [type(stored.record) for stored in rows(store)].count(Mark) == 1


# Purging


def test_what_is_older_goes_and_what_is_younger_stays(store: OpenStore, clock: Clock) -> None:
    """Promise: after a purge the log begins at the newest mark that is older than the retention."""
    lived = live(store, clock, 10)
    size = head(store).size
    done = purge(store)
    # The mark that closed the third day was written seven days ago, which is not older than seven days.
    first = done.before
    assert (done.done, done.first_seq, done.records, done.entries, done.swept) == (True, 0, first, 6, first)
    left = rows(store)
    assert isinstance(left[0].record, Mark)
    assert (left[0].seq, left[-1].seq + 1, head(store).first_seq) == (first, size, first)
    assert left[0].log_time < clock.now - 7 * DAY
    log = AuditLog(store.store.database)
    assert log.count(store.organisation.id) == 24
    for entry_id in lived[0] + lived[1]:
        with pytest.raises(NotFound):
            log.get(store.organisation.id, entry_id)
    assert log.get(store.organisation.id, lived[2][0]).entry.id == lived[2][0]
    assert_intact(store)
    assert verified(store)["requests"].purged == first
    assert purge(store).done is False


def test_the_event_says_what_went(store: OpenStore, clock: Clock) -> None:
    """Promise: a purge is an event with minimum, retention, counts and roots."""
    live(store, clock, 10)
    before = rows(store)
    done = purge(store)
    (event,) = events(store, PURGED)
    assert isinstance(event.record, Event)
    detail = event.record.detail
    leaves = [stored.leaf_hash for stored in before]
    assert detail == {
        "log": "requests",
        "before": done.before,
        "retentionDays": 7,
        "size": len(leaves),
        "root": root_hash(extend_frontier(0, (), leaves)).hex(),
        "rootBefore": root_hash(extend_frontier(0, (), leaves[: done.before])).hex(),
        "records": done.before,
        "entries": 6,
    }
    assert event.record.target == head(store).origin


def test_purges_follow_each_other(store: OpenStore, clock: Clock) -> None:
    """Promise: the minimum only grows, and the log goes on as before."""
    live(store, clock, 9)
    minima = [purge(store).before or 0]
    for _ in range(3):
        live(store, clock, 1)
        minima.append(purge(store).before or 0)
        assert_intact(store)
    assert minima == sorted(minima)
    assert len(set(minima)) == 4
    clock.pass_days(30)
    last = purge(store)
    assert [type(stored.record) for stored in rows(store)] == [Mark]
    assert last.before == head(store).size - 1
    assert_intact(store)
    decide(store, 2)
    assert_intact(store)


def test_without_a_mark_nothing_goes(store: OpenStore, clock: Clock) -> None:
    """Promise: what no mark shows to be old enough stays, and `admin` is never purged."""
    decide(store, 3)
    clock.pass_days(100)
    decide(store, 1)
    assert purge(store).before is None
    assert len(rows(store)) == 5
    write_marks(store.store.database, store.store.hot)
    assert purge(store).before is None
    assert {name for name in LogName if head(store, name).first_seq} == set()


def test_imports_go_by_the_day_of_their_import(store: OpenStore, clock: Clock) -> None:
    """Promise: retention of imports counts from the import and not from what the source claims."""
    log = LogId(store.organisation.id, LogName.IMPORTS)
    old = clock.now - 1000 * DAY
    decide(store, 2, log, source="import", timestamp=old)
    clock.pass_days(1)
    write_marks(store.store.database, store.store.hot)
    clock.pass_days(5)
    assert purge(store, LogName.IMPORTS).before is None
    clock.pass_days(5)
    assert purge(store, LogName.IMPORTS).entries == 2
    assert_intact(store)


def test_the_newest_retention_counts(store: OpenStore, clock: Clock) -> None:
    """Promise: a changed retention holds for the next purge, whichever process carries it out."""
    live(store, clock, 40)
    other = OpenStore.open(store.folder, store.url)
    clock.rule(other.store.database)
    other.control.update_organisation(store.organisation.id, tier="pro", actor=COMMAND_LINE)
    assert purge(store).retention_days == 30
    other.control.update_organisation(store.organisation.id, retention_days=10, actor=COMMAND_LINE)
    assert purge(store).retention_days == 10
    other.control.update_organisation(store.organisation.id, retention_days=None, actor=COMMAND_LINE)
    assert purge(store).retention_days == 30
    assert store.control.refresh().organisations[store.organisation.id].retention == 30
    other.close()
    assert len(events(store, "retention.changed")) == 3
    assert_intact(store)


def test_bad_retentions_are_refused(store: OpenStore) -> None:
    """Promise: a number of days is 1 to 36500, a tier is one of the three, and no change is no event."""
    for bad in ({"retention_days": 0}, {"retention_days": 36_501}, {"tier": "gold"}):
        with pytest.raises(InvalidInput):
            store.control.update_organisation(store.organisation.id, actor=COMMAND_LINE, **bad)
    with pytest.raises(NotFound):
        store.control.update_organisation("org_nobody", tier="pro", actor=COMMAND_LINE)
    store.control.update_organisation(store.organisation.id, tier="free", actor=COMMAND_LINE)
    assert events(store, "retention.changed") == []


def test_a_process_that_wrote_long_ago_goes_on(store: OpenStore, clock: Clock) -> None:
    """Promise: that its last record was purged is no rollback to a process that remembers it."""
    hot = store.store.hot
    decision_log = store.requests
    with store.store.database.write() as connection:
        placed = hot.append(connection, [pending(decision_log, a_decision(decision_log.org_id))])
    hot.remember(item for item in placed if item)
    other = OpenStore.open(store.folder, store.url)
    clock.rule(other.store.database)
    live(other, clock, 12)
    assert purge(other).done
    other.close()
    decide(store, 1)
    assert_intact(store)


def test_one_process_purges_at_a_time(store: OpenStore, clock: Clock) -> None:
    """Promise: a second purge is refused while the first works, and free again if that died."""
    org = [store.organisation.id]
    first = retention(store).purge_each(org, actor=COMMAND_LINE)
    next(first)
    with pytest.raises(Conflict, match="purging"):
        next(retention(store).purge_each(org, actor=COMMAND_LINE))
    clock.pass_days(0.01)
    assert len(list(retention(store).purge_each(org, actor=COMMAND_LINE))) == 2


# Archives


def test_an_archive_holds_what_went(store: OpenStore, clock: Clock, tmp_path: Path) -> None:
    """Promise: with an archive, every purged record is in a file that the event names, and nobody else can read it."""
    lake = tmp_path / "lake"
    live(store, clock, 10)
    before = rows(store)
    done = purge(store, lake=lake)
    (event,) = events(store, PURGED)
    assert isinstance(event.record, Event)
    assert done.archive is not None
    assert (event.record.detail["archive"], event.record.detail["archiveSha256"]) == (
        done.archive.name,
        done.archive.sha256,
    )
    file = lake / done.archive.name
    data = file.read_bytes()
    assert hashlib.sha256(data).hexdigest() == done.archive.sha256
    assert file.name == f"0-{done.before}-{done.archive.sha256[:16]}.ndjson.gz"
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == stat.S_IMODE(lake.stat().st_mode) == 0o700
    lines = [json.loads(line) for line in gzip.decompress(data).splitlines()]
    assert [leaf_hash(line["record"].encode()) for line in lines] == [
        stored.leaf_hash for stored in before[: done.before]
    ]
    assert [line.get("salt") for line in lines] == [stored.salt.hex() or None for stored in before[: done.before]]
    assert lines[1]["values"]["ipAddress"] == "203.0.113.42"
    assert_intact(store)


def test_nothing_goes_that_cannot_be_archived(store: OpenStore, clock: Clock, tmp_path: Path) -> None:
    """Promise: a record that was changed is not purged into an archive as if it were whole."""
    live(store, clock, 10)
    with store.store.database.write() as connection:
        this = (records.c.log_id == head(store).id) & (records.c.seq == 2)
        connection.execute(update(records).where(this).values(model="forged"))
    with pytest.raises(IntegrityError, match="record 2"):
        purge(store, lake=tmp_path / "lake")
    assert head(store).first_seq == 0
    assert list((tmp_path / "lake").rglob("*.*")) == []


# Amounts


def test_rows_go_in_chunks(store: OpenStore, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: no transaction deletes more than a chunk, and between two somebody else may write."""
    monkeypatch.setattr("scriba.storage.purge.CHUNK", 4)
    live(store, clock, 10)
    rests = 0

    def rest(_: float) -> None:
        nonlocal rests
        rests += 1
        decide(store, 1)
        assert_intact(store)

    done = Retention(store.store, None, rest=rest).purge(store.organisation.id, REQUESTS, actor=COMMAND_LINE)
    assert rests == -(-(done.before or 0) // 4)
    with store.store.database.read() as connection:
        count = connection.execute(
            select(func.count()).where(records.c.log_id == head(store).id, records.c.seq < done.before)
        ).scalar_one()
    assert count == 0


def test_control_of_another_process(store: OpenStore) -> None:
    """Promise: a retention that was changed elsewhere is seen after the next refresh."""
    other = Control(store.store.database, store.store.hot, store.store.keyring, store.store.deployment)
    other.refresh()
    store.control.update_organisation(store.organisation.id, retention_days=200, actor=COMMAND_LINE)
    assert other.refresh().organisations[store.organisation.id].retention == 200
