"""Counting what was let through unlogged."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from scriba.domain.record import Gap
from scriba.storage.gaps import Gaps
from scriba.storage.model import LogId, LogName

if TYPE_CHECKING:
    import pytest

LOG = LogId("org_1", LogName.REQUESTS)
OTHER = LogId("org_2", LogName.REQUESTS)


def test_requests_of_a_log_become_one_gap() -> None:
    """Promise: an outage is one record for each organisation, with the number of requests."""
    gaps = Gaps()
    for log in (LOG, LOG, OTHER):
        gaps.note(log, "database unreachable")
    assert {log: gap.count for log, gap in gaps.take()} == {LOG: 2, OTHER: 1}
    assert not gaps


def test_a_clock_that_is_set_back_does_not_break_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: a gap never ends before it starts, which no log could hold."""
    gaps = Gaps()
    times = iter([2_000_000_000, 1_000_000_000])
    monkeypatch.setattr(time, "time_ns", lambda: next(times))
    gaps.note(LOG, "x")
    gaps.note(LOG, "x")
    assert gaps.take() == [(LOG, Gap(start=1_000_000, end=2_000_000, count=2, reason="x"))]


def test_a_gap_that_could_not_be_written_is_added_to() -> None:
    """Promise: nothing is lost between two attempts."""
    gaps = Gaps()
    gaps.put_back(LOG, Gap(start=5, end=9, count=3, reason="x"))
    gaps.put_back(LOG, Gap(start=7, end=8, count=2, reason="y"))
    assert gaps.take() == [(LOG, Gap(start=5, end=9, count=5, reason="x"))]
