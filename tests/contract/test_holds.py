"""Legal holds keep what they match from a purge, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.ageing import Clock, live
from tests.purging import REQUESTS, assert_intact, events, head, purge, retention, rows

from scriba.audit.retention import Retention
from scriba.domain.period import DAY
from scriba.errors import InvalidInput, NotFound
from scriba.storage.model import COMMAND_LINE, LogName

if TYPE_CHECKING:
    from tests.stores import OpenStore

    from scriba.audit.retention import Purge


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
