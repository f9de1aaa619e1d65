"""Purging what is older than the retention, on both databases."""

from __future__ import annotations

import gzip
import hashlib
import json
import stat
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, func, insert, select, update
from tests.ageing import Clock, decide, live
from tests.stores import OpenStore, a_decision

from scriba.audit.purged import PURGED
from scriba.audit.query import AuditLog
from scriba.audit.retention import Retention
from scriba.audit.verification import Verifier, verify_log, verify_logs
from scriba.domain.filter import Filters
from scriba.domain.period import DAY
from scriba.domain.record import Event, Mark
from scriba.errors import Conflict, IntegrityError, InvalidInput, NotFound
from scriba.merkle.tree import extend_frontier, leaf_hash, root_hash
from scriba.storage.control import Control
from scriba.storage.hot import HotLogs, pending
from scriba.storage.marks import write_marks
from scriba.storage.model import COMMAND_LINE, LogId, LogName
from scriba.storage.rows import COLUMNS, stored_of
from scriba.storage.tables import documents, logs, organisations, records

if TYPE_CHECKING:
    from pathlib import Path

    from scriba.audit.retention import Purge
    from scriba.domain.record import Stored
    from scriba.ledger.verifier import Verification

REQUESTS = LogName.REQUESTS


@pytest.fixture
def clock(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Rule the time of the store."""
    clock = Clock(monkeypatch)
    clock.rule(store.store.database)
    return clock


def retention(store: OpenStore, lake: Path | None = None) -> Retention:
    """Make what purges, without rests."""
    return Retention(store.store, lake, rest=lambda _: None)


def purge(store: OpenStore, log: LogName = REQUESTS, lake: Path | None = None) -> Purge:
    """Purge one log of the organisation."""
    return retention(store, lake).purge(store.organisation.id, log, actor=COMMAND_LINE)


def verified(store: OpenStore) -> dict[str, Verification]:
    """Verify all logs of the organisation."""
    database, keyring = store.store.database, store.store.keyring
    return dict(verify_logs(database, keyring, store.organisation.id, list(LogName), lambda _: nullcontext()))


def head(store: OpenStore, log: LogName = REQUESTS) -> Any:
    """Return the row of a log."""
    with store.store.database.read() as connection:
        return connection.execute(
            select(logs).where(logs.c.org_id == store.organisation.id, logs.c.log == log.value)
        ).one()


def rows(store: OpenStore, log: LogName = REQUESTS) -> list[Stored]:
    """Return every row of a log, purged or not."""
    query = select(*(records.c[name] for name in COLUMNS)).where(records.c.log_id == head(store, log).id)
    with store.store.database.read() as connection:
        return [stored_of(row, store.organisation.id) for row in connection.execute(query.order_by(records.c.seq))]


def events(store: OpenStore, action: str) -> list[Stored]:
    """Return the records of `admin` about an action."""
    found = rows(store, LogName.ADMIN)
    return [stored for stored in found if isinstance(stored.record, Event) and stored.record.action == action]


def alter(store: OpenStore, **values: Any) -> None:
    """Change the row of the log `requests` behind our back."""
    with store.store.database.write() as connection:
        connection.execute(update(logs).where(logs.c.id == head(store).id).values(**values))


def assert_intact(store: OpenStore) -> None:
    """Verify everything."""
    assert {name: result.findings for name, result in verified(store).items()} == {name.value: () for name in LogName}


# Marks


def test_one_mark_a_day_for_a_log_that_grew(store: OpenStore, clock: Clock) -> None:
    """Promise: a log gets a mark for each day that it grew on, and none else."""
    database, hot = store.store.database, store.store.hot
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
    assert [type(stored.record) for stored in rows(store)].count(Mark) == 2
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


# Holds


def test_a_hold_keeps_what_it_matches(store: OpenStore, clock: Clock) -> None:
    """Promise: while a hold matches anything that would go, nothing of that log goes; released, it does."""
    began = clock.now
    live(store, clock, 10)
    holds = retention(store).holds
    org = store.organisation.id
    hold = holds.create(org, name="Case 7", reason="Litigation", start=began, end=began + DAY, actor=COMMAND_LINE)
    refused = purge(store)
    assert (refused.done, [one.id for one in refused.holds]) == (False, [hold.id])
    assert rows(store)[0].seq == 0
    assert holds.list(org, active=True) == [hold]
    released = holds.release(org, hold.id, actor=COMMAND_LINE)
    assert not released.is_active
    assert holds.release(org, hold.id, actor=COMMAND_LINE) == released == holds.find(org, hold.id)
    assert holds.list(org, active=True) == []
    assert purge(store).done
    assert [len(events(store, f"hold.{action}")) for action in ("created", "released")] == [1, 1]
    assert_intact(store)


MATCHES: list[tuple[tuple[LogName, ...], int | None, int | None, bool]] = [
    ((), None, None, True),
    ((LogName.IMPORTS,), None, None, False),
    ((REQUESTS,), 0, None, True),
    ((REQUESTS,), 2, None, False),
    ((REQUESTS,), None, 1, True),
    ((REQUESTS,), None, 0, False),
    ((REQUESTS,), 1, 2, True),
    ((REQUESTS,), 5, 6, False),
]
"""Logs, first day and day after the last of a hold, and whether it keeps what was logged on the days 0 and 1."""


def test_what_a_hold_matches(store: OpenStore, clock: Clock) -> None:
    """Promise: a hold counts for its logs and its period alone."""
    began = clock.now
    live(store, clock, 10)
    purging, org = retention(store), store.organisation.id
    for names, first, last, keeps in MATCHES:
        start, end = (None if day is None else began + day * DAY for day in (first, last))
        hold = purging.holds.create(org, name="x", reason="y", logs=names, start=start, end=end, actor=COMMAND_LINE)
        assert bool(purging.plan(org, REQUESTS).holds) is keeps, (names, first, last)
        purging.holds.release(org, hold.id, actor=COMMAND_LINE)


def test_a_hold_made_during_a_purge(store: OpenStore, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: a hold that was acknowledged before the minimum moves is respected."""
    live(store, clock, 10)
    purging = retention(store)
    decide_ = Retention._decide

    def hold_first(self: Retention, *arguments: Any) -> Purge:
        purging.holds.create(store.organisation.id, name="x", reason="y", actor=COMMAND_LINE)
        return decide_(self, *arguments)

    monkeypatch.setattr(Retention, "_decide", hold_first)
    refused = purging.purge(store.organisation.id, REQUESTS, actor=COMMAND_LINE)
    assert (refused.done, len(refused.holds), head(store).first_seq) == (False, 1, 0)


def test_holds_of_others_and_bad_ones(store: OpenStore) -> None:
    """Promise: holds belong to one organisation; a name and a reason are required, and a period has a length."""
    holds, org = retention(store).holds, store.organisation.id
    hold = holds.create(org, name="x", reason="y", actor=COMMAND_LINE)
    other = store.control.create_organisation("other", actor=COMMAND_LINE)
    with pytest.raises(NotFound):
        holds.find(other.id, hold.id)
    with pytest.raises(NotFound):
        holds.release(other.id, hold.id, actor=COMMAND_LINE)
    assert holds.list(other.id) == []
    bad: list[dict[str, Any]] = [{"name": " "}, {"reason": ""}, {"name": "a\nb"}, {"start": 5, "end": 5}]
    for fields in bad:
        with pytest.raises(InvalidInput):
            holds.create(org, **{"name": "x", "reason": "y", "actor": COMMAND_LINE, **fields})


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


# Attacks


def test_nothing_goes_from_a_log_that_is_not_whole(store: OpenStore, clock: Clock) -> None:
    """Promise: a log whose records do not make its root is left as it is, and other logs are purged all the same."""
    live(store, clock, 10)
    with store.store.database.write() as connection:
        this = (records.c.log_id == head(store).id) & (records.c.seq == 30)
        connection.execute(update(records).where(this).values(leaf_hash=bytes(32)))
    with pytest.raises(IntegrityError, match="root hash"):
        purge(store)
    results = list(retention(store).purge_each([store.organisation.id], actor=COMMAND_LINE))
    assert ["root hash" in result.problem for result in results] == [True, False]
    with store.store.database.write() as connection:
        connection.execute(delete(records).where(this))
    with pytest.raises(IntegrityError, match="record 30 is missing"):
        purge(store)
    assert head(store).first_seq == 0


def frontier_at(store: OpenStore, seq: int) -> bytes:
    """Compute the true frontier at a place."""
    return b"".join(extend_frontier(0, (), [stored.leaf_hash for stored in rows(store)[:seq]]))


def cut(store: OpenStore, seq: int) -> None:
    """Do as a purge would, but for its event."""
    alter(store, first_seq=seq, first_frontier=frontier_at(store, seq))
    with store.store.database.write() as connection:
        connection.execute(delete(records).where(records.c.log_id == head(store).id, records.c.seq < seq))


def marks_of(store: OpenStore) -> list[int]:
    """Return where the marks of the log stand."""
    return [stored.seq for stored in rows(store) if isinstance(stored.record, Mark)]


def test_a_purge_without_an_event(store: OpenStore, clock: Clock) -> None:
    """Promise: records that somebody cut off with all hashes right are missed, since no event allowed it."""
    live(store, clock, 10)
    mark = marks_of(store)[1]
    cut(store, mark)
    result = verified(store)["requests"]
    assert (result.ok, result.first_bad) == (False, 0)
    assert [finding.message for finding in result.findings] == [
        f"The records from 0 to {mark - 1} are missing, and no purge of them is on record."
    ]
    assert verify_log(store.store.database, store.store.keyring, store.requests).first_bad == 0


def test_a_purge_that_was_made_to_look_larger(store: OpenStore, clock: Clock) -> None:
    """Promise: an event covers what it says and nothing more."""
    live(store, clock, 10)
    done = purge(store)
    further = marks_of(store)[2]
    left = [stored.leaf_hash for stored in rows(store)]
    hashes = left[: further - (done.before or 0)]
    start = head(store)
    packed = bytes(start.first_frontier)
    frontier = tuple(packed[place : place + 32] for place in range(0, len(packed), 32))
    alter(store, first_seq=further, first_frontier=b"".join(extend_frontier(start.first_seq, frontier, hashes)))
    result = verified(store)["requests"]
    assert (result.ok, result.first_bad) == (False, done.before)


def test_a_forged_beginning(store: OpenStore, clock: Clock) -> None:
    """Promise: a frontier that is not the one of the purged tree does not make the root."""
    live(store, clock, 10)
    purge(store)
    true = bytes(head(store).first_frontier)
    for values in (
        {"first_frontier": bytes(len(true))},
        {"first_frontier": true + bytes(32)},
        {"first_frontier": None},
        {"first_seq": 10**6},
        {"first_seq": -1},
    ):
        alter(store, **values)
        assert not verified(store)["requests"].ok, values
        count = len(rows(store))
        clock.pass_days(2)
        with suppress(IntegrityError):
            assert not purge(store).done
        assert len(rows(store)) == count  # neither is anything deleted in its name
        alter(store, first_frontier=true, first_seq=done_at(store))
    assert_intact(store)


def done_at(store: OpenStore) -> int:
    """Return the minimum of the newest purge, as its event has it."""
    event = events(store, PURGED)[-1].record
    assert isinstance(event, Event)
    before = event.detail["before"]
    assert isinstance(before, int)
    return before


def test_a_minimum_that_was_set_back(store: OpenStore, clock: Clock) -> None:
    """Promise: records put back after their purge are told, though the tree takes them."""
    live(store, clock, 10)
    with store.store.database.read() as connection:
        this = records.c.log_id == head(store).id
        kept = [row._asdict() for row in connection.execute(select(records).where(this))]
    done = purge(store)
    with store.store.database.write() as connection:
        connection.execute(insert(records), [row for row in kept if row["seq"] < (done.before or 0)])
    assert_intact(store)  # rows before the minimum do not exist for anybody
    assert AuditLog(store.store.database).count(store.organisation.id, Filters()) == 24
    alter(store, first_seq=0, first_frontier=None)
    result = verified(store)["requests"]
    assert "though all before record" in result.findings[0].message


def test_rows_that_are_missing_behind_the_mark(store: OpenStore, clock: Clock) -> None:
    """Promise: a purge excuses nothing that should have stayed, its own mark first of all."""
    live(store, clock, 10)
    done = purge(store)
    with store.store.database.write() as connection:
        connection.execute(delete(records).where(records.c.log_id == head(store).id, records.c.seq == done.before))
    assert verified(store)["requests"].first_bad == done.before


def test_a_log_cut_where_no_mark_is(store: OpenStore, clock: Clock) -> None:
    """Promise: what is left begins with a mark, or nothing shows how old the rest was."""
    live(store, clock, 10)
    cut(store, 2)
    fields = {finding.field for finding in verified(store)["requests"].findings}
    assert fields == {"type", "firstSeq"}


def test_a_mark_that_was_moved(store: OpenStore, clock: Clock) -> None:
    """Promise: the mark is a record like any other: what it says cannot be changed."""
    live(store, clock, 10)
    done = purge(store)
    true = {"log_time": rows(store)[0].log_time, "type": "mark"}
    for values in ({"log_time": 1}, {"type": "decision"}):
        for changed in (values, true):
            with store.store.database.write() as connection:
                this = (records.c.log_id == head(store).id) & (records.c.seq == done.before)
                connection.execute(update(records).where(this).values(**changed))
            assert verified(store)["requests"].first_bad == (None if changed is true else done.before)


def test_a_purge_that_was_too_early(store: OpenStore, clock: Clock) -> None:
    """Promise: whoever has the program purge by another retention than the log knows is told."""
    live(store, clock, 3)
    store.control.update_organisation(store.organisation.id, tier="pro", actor=COMMAND_LINE)
    with store.store.database.write() as connection:
        connection.execute(update(organisations).values(retention_days=1))
    assert purge(store).done
    result = verified(store)["requests"]
    assert [finding.message.partition(" and ")[2] for finding in result.findings] == ["had to be kept 30."]


def test_a_first_retention_that_was_shortened(store: OpenStore, clock: Clock) -> None:
    """Promise: a retention that was never changed is what the organisation began with, not what its row says."""
    live(store, clock, 3)
    with store.store.database.write() as connection:
        connection.execute(update(organisations).values(retention_days=1))
    assert purge(store).done
    checked = Verifier(store.store.database, store.store.keyring).verify(store.organisation.id)
    for result in (verified(store)["requests"], checked["requests"]):
        assert [finding.message.partition(" and ")[2] for finding in result.findings] == ["had to be kept 7."]
    # Nor does it help to have the shortened one recorded as what was before a change.
    store.control.update_organisation(store.organisation.id, retention_days=2, actor=COMMAND_LINE)
    assert verified(store)["requests"].findings == result.findings


def test_a_first_retention_that_nobody_can_tell(store: OpenStore, clock: Clock) -> None:
    """Promise: without the document of its creation, or with a forged one, no purge of an organisation is excused."""
    live(store, clock, 10)
    assert purge(store).done
    assert_intact(store)
    with store.store.database.read() as connection:
        [kept] = connection.execute(select(documents).where(documents.c.kind == "org")).all()
    forged = kept.body.replace(b'"tier":"free"', b'"retentionDays":1,"tier":"free"')
    for change in (update(documents).values(body=forged), delete(documents)):
        with store.store.database.write() as connection:
            connection.execute(change.where(documents.c.sha256 == kept.sha256))
        [finding] = verified(store)["requests"].findings
        assert finding.message.startswith("Nothing shows for how many days")


def test_a_forged_log_of_the_deployment(store: OpenStore, clock: Clock) -> None:
    """Promise: what the deployment's own log says of an organisation counts as far as that log is what was written."""
    live(store, clock, 10)
    assert purge(store).done
    with store.store.database.write() as connection:
        own = select(logs.c.id).where(logs.c.org_id == "").scalar_subquery()
        connection.execute(update(records).where(records.c.log_id == own, records.c.seq == 1).values(actor="nobody"))
    [finding] = verified(store)["requests"].findings
    assert finding.message == "The log admin is not as it was written, so nobody can tell whether the purge was right."


def test_a_purge_of_younger_records(store: OpenStore, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: an event that claims the right retention does not excuse what was younger."""
    live(store, clock, 3)
    monkeypatch.setattr("scriba.audit.retention.DAY", DAY // 7)
    assert purge(store).done
    (finding,) = verified(store)["requests"].findings
    assert "were younger than 7 days then" in finding.message


def test_a_purge_is_not_believed_from_a_forged_admin_log(store: OpenStore, clock: Clock) -> None:
    """Promise: an event about a purge counts as far as the log `admin` is what was written."""
    live(store, clock, 10)
    purge(store)
    with store.store.database.write() as connection:
        this = (records.c.log_id == head(store, LogName.ADMIN).id) & (records.c.seq == 0)
        connection.execute(update(records).where(this).values(leaf_hash=bytes(32)))
    messages = [finding.message for finding in verified(store)["requests"].findings]
    assert messages == ["The log admin is not as it was written, so nobody can tell whether the purge was right."]


# Verifying again and again


def test_a_minimum_that_moves_between_two_verifications(store: OpenStore, clock: Clock) -> None:
    """Promise: whoever verifies again and again takes a purge for what it is, and misses nothing after it."""
    checked = Verifier(store.store.database, store.store.keyring)
    org = store.organisation.id
    live(store, clock, 9)
    assert all(result.ok for result in checked.verify(org).values())
    for _ in range(2):
        live(store, clock, 1)
        assert purge(store).done
        found = checked.verify(org)
        assert {name: result.findings for name, result in found.items()} == {name.value: () for name in LogName}
        assert found["requests"].purged == head(store).first_seq
        assert found["requests"].root == verified(store)["requests"].root
        decide(store, 1)
        assert checked.verify(org)["requests"].ok
    further = marks_of(store)[1]
    alter(store, first_seq=further)
    assert not checked.verify(org)["requests"].ok


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
