"""The sample's requests come in bursts, by day more than by night, and always at the same times."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from statistics import mean, pstdev

from scriba.demo.arrivals import DAYS, arrivals
from scriba.domain.period import DAY

END = 1_736_519_400_000_000


def test_all_are_within_the_days_before_and_in_order() -> None:
    """Promise: none lies in the future of the organisation, none before the month."""
    times = arrivals(5_000, END)
    assert len(times) == 5_000
    assert times == sorted(times)
    assert times[0] >= END - DAYS * DAY
    assert times[-1] < END
    assert len({time // DAY for time in times}) >= DAYS
    assert arrivals(5_000, END) == times


def test_nights_and_weekends_are_quiet() -> None:
    """Promise: the curve is one of working hours."""
    moments = [datetime.fromtimestamp(time / 1e6, UTC) for time in arrivals(20_000, END)]
    night = sum(moment.hour < 6 for moment in moments)
    weekend = sum(moment.weekday() > 4 for moment in moments)
    assert 0 < night < len(moments) / 12
    assert 0 < weekend < len(moments) / 8


def test_they_come_in_bursts() -> None:
    """Promise: the gaps within busy hours vary as those of a real service do, and are not evenly spread."""
    gaps = [after - before for before, after in pairwise(arrivals(20_000, END))]
    assert pstdev(gaps) > mean(gaps)
