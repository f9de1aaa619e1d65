"""When the sample requests come in.

The gaps of a real trace, over and over, give the bursts; they are stretched so that there is more by day than by night
and more on working days than at weekends.
"""

from __future__ import annotations

from bisect import bisect_right
from importlib.resources import files
from itertools import accumulate, cycle, islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DAYS", "arrivals"]

DAYS: Final = 30
"""How far the sample goes back."""

_HOUR: Final = 3_600_000_000
_HOURS_A_DAY: Final = 24
_DAYS_A_WEEK: Final = 7
_EPOCH_WEEKDAY: Final = 3  # 1970-01-01 was a Thursday; Monday is 0
_BY_HOUR: Final = (2, 1, 1, 1, 1, 2, 4, 8, 14, 18, 20, 20, 17, 18, 20, 20, 18, 14, 10, 7, 6, 5, 4, 3)
_BY_WEEKDAY: Final = (10, 11, 11, 10, 9, 3, 2)


def arrivals(count: int, end: int) -> list[int]:
    """Return so many times within the `DAYS` before `end`, in order.

    :param end: microseconds since 1970
    """
    start = end - DAYS * _HOURS_A_DAY * _HOUR
    passed = list(accumulate(islice(cycle(_gaps()), count), initial=1))
    reached = list(accumulate(map(_busy, range(start, end, _HOUR)), initial=0))
    return [_moment(start, reached, passed[number] / passed[-1] * reached[-1]) for number in range(count)]


def _gaps() -> list[int]:
    text = files("scriba.demo").joinpath("gaps.txt").read_text(encoding="ascii")
    return [int(gap) for line in text.splitlines() if not line.startswith("#") for gap in line.split()]


def _busy(moment: int) -> int:
    """How much happens in the hour that begins at a moment, beside other hours."""
    day, hour = divmod(moment // _HOUR, _HOURS_A_DAY)
    return _BY_HOUR[hour] * _BY_WEEKDAY[(day + _EPOCH_WEEKDAY) % _DAYS_A_WEEK]


def _moment(start: int, reached: Sequence[int], share: float) -> int:
    """Return when so much has happened. In each hour it happens evenly."""
    hour = bisect_right(reached, share) - 1
    within = (share - reached[hour]) / (reached[hour + 1] - reached[hour])
    return start + round((hour + within) * _HOUR)
