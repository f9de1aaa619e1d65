"""Marks and purges that come by themselves, once a day, on both databases."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update
from tests.ageing import Clock, decide, live
from tests.stores import OpenStore

from scriba.audit.retention import Retention
from scriba.audit.schedule import Housekeeping
from scriba.domain.period import DAY
from scriba.domain.timestamp import parse_timestamp
from scriba.storage.model import COMMAND_LINE, LogName
from scriba.storage.tables import logs, records, webhook_cursors, webhook_endpoints

if TYPE_CHECKING:
    import pytest


def housekeeping(store: OpenStore) -> Housekeeping:
    """Make what marks and purges, as one process has it."""
    return Housekeeping(store.store, store.control, None)


def marks(store: OpenStore) -> int:
    """Count the marks of the log `requests`."""
    with store.store.database.read() as connection:
        this = (logs.c.org_id == store.organisation.id) & (logs.c.log == "requests")
        query = select(records.c.seq).join(logs, logs.c.id == records.c.log_id).where(this, records.c.type == "mark")
        return len(connection.execute(query).all())


def test_once_a_day_by_one_of_two_processes(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: of several processes one marks and one purges each day, and a missed day is made up for."""
    clock = Clock(monkeypatch)
    clock.rule(store.store.database)
    other = OpenStore.open(store.folder, store.url)
    clock.rule(other.store.database)
    one, two = housekeeping(store), housekeeping(other)
    decide(store, 2)
    assert (len(one.purge_if_due()), len(two.purge_if_due())) == (2, 0)
    clock.pass_days(1)
    for keeping in (one, two, one):
        keeping.mark_days()
    assert marks(store) == 1
    clock.pass_days(8)
    found = [result for keeping in (two, one, two) for result in keeping.purge_if_due()]
    assert [(result.log, result.done, result.entries) for result in found] == [
        (LogName.REQUESTS, True, 2),
        (LogName.IMPORTS, False, 0),
    ]
    assert parse_timestamp(one.kept(store.organisation.id).next_purge_at) - clock.now < DAY
    other.close()


def test_marks_are_made_up_for_at_the_start(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: a process that starts writes the mark that was missed, at once, and stops without waiting."""
    clock = Clock(monkeypatch)
    clock.rule(store.store.database)
    decide(store, 1)
    clock.pass_days(3)

    async def live_shortly() -> None:
        keeping = housekeeping(store)
        keeping.rounds.start()
        while not await asyncio.to_thread(marks, store):  # noqa: ASYNC110 - the database tells no event
            await asyncio.sleep(0.01)
        await keeping.rounds.stop()

    asyncio.run(live_shortly())
    assert marks(store) == 1


def test_a_purge_waits_a_week_for_a_webhook(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: what a webhook was not told of stays for seven days more, and then the purge says who misses it."""
    clock = Clock(monkeypatch)
    clock.rule(store.store.database)
    began = clock.now
    live(store, clock, 10)
    endpoint = {"id": "evsub_x", "org_id": store.organisation.id, "url": "http://127.0.0.1:9", "event_filters": "[]"}
    rest = {"status": "active", "secrets": b"", "failure_count": 0, "created_at": began, "updated_at": began}
    with store.store.database.write() as connection:
        this = (logs.c.org_id == store.organisation.id) & (logs.c.log == "requests")
        log_id = connection.execute(select(logs.c.id).where(this)).scalar_one()
        connection.execute(insert(webhook_endpoints).values(endpoint | rest))
        connection.execute(insert(webhook_cursors).values(endpoint_id="evsub_x", log_id=log_id, next_seq=6))

    def purge() -> tuple[int | None, tuple[str, ...], tuple[str, ...]]:
        retention = Retention(store.store, None, rest=lambda _: None)
        done = retention.purge(store.organisation.id, LogName.REQUESTS, actor=COMMAND_LINE)
        return done.before, done.waits_for, done.lost

    assert purge() == (4, ("evsub_x",), ())
    assert purge() == (None, ("evsub_x",), ())
    clock.pass_days(6.5)
    before, waits_for, lost = purge()
    assert before is not None
    assert (before > 6, waits_for, lost) == (True, ("evsub_x",), ("evsub_x",))
    with store.store.database.write() as connection:
        connection.execute(update(webhook_endpoints).values(status="disabled"))
    assert purge()[1:] == ((), ())
