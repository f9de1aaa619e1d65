"""Letting time pass for a store, without waiting: the clock of its database goes by the test."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tests.stores import a_decision

from scriba.domain.period import DAY
from scriba.storage.hot import pending
from scriba.storage.marks import write_marks

if TYPE_CHECKING:
    import pytest
    from tests.stores import OpenStore

    from scriba.storage.database import Database
    from scriba.storage.model import LogId

__all__ = ["Clock", "decide", "live"]


class Clock:
    """A clock that stands still until the test moves it, for every store that it was given to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.now = (time.time_ns() // 1000 // DAY + 1) * DAY + DAY // 2
        monkeypatch.setattr("scriba.storage.hot.MAX_CLOCK_SKEW", 1 << 62)

    def rule(self, database: Database) -> None:
        """Let a database go by this clock."""
        self._monkeypatch.setattr(database, "clock", lambda _connection: self.now)

    def pass_days(self, days: float) -> None:
        """Let days pass."""
        self.now += int(days * DAY)


def decide(store: OpenStore, count: int, log: LogId | None = None, **fields: Any) -> list[str]:
    """Append decisions in one transaction; returns their ids."""
    log = log or store.requests
    decisions = [a_decision(log.org_id, **fields) for _ in range(count)]
    with store.store.database.write() as connection:
        store.store.hot.append(connection, [pending(log, decision) for decision in decisions])
    return [decision.id for decision in decisions]


def live(store: OpenStore, clock: Clock, days: int, a_day: int = 3) -> list[list[str]]:
    """Let days pass with some decisions each, marked at each midnight; returns the ids of each day."""
    lived = []
    for _ in range(days):
        lived.append(decide(store, a_day))
        clock.pass_days(1)
        write_marks(store.store.database, store.store.hot)
    return lived
