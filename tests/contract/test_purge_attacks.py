"""What is purged, or made to look so, behind the back of the program is found, on both databases."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, insert, select, update
from tests.ageing import Clock, decide, live
from tests.purging import alter, assert_intact, events, head, purge, retention, rows, verified

from scriba.audit.purged import PURGED
from scriba.audit.query import AuditLog
from scriba.audit.verification import Verifier, verify_log
from scriba.domain.filter import Filters
from scriba.domain.period import DAY
from scriba.domain.record import Event, Mark
from scriba.errors import IntegrityError
from scriba.merkle.tree import extend_frontier
from scriba.storage.model import COMMAND_LINE, LogName
from scriba.storage.tables import documents, logs, organisations, records

if TYPE_CHECKING:
    from tests.stores import OpenStore


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
