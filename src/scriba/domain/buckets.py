"""A period in buckets of the UTC calendar: hours, days, ISO weeks (from Monday on) or months."""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from scriba.domain.period import DAY, Period
from scriba.domain.timestamp import MAX_MICROS
from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HOUR", "MAX_BUCKETS", "Bucket", "Granularity", "bucket_start", "buckets_of"]

HOUR: Final = DAY // 24

MAX_BUCKETS: Final = 10_000
"""Buckets that a period may have: more than a year of hours."""

_EPOCH: Final = date(1970, 1, 1)
_WEEKDAY_OF_EPOCH: Final = _EPOCH.weekday()


class Granularity(StrEnum):
    """How long a bucket is."""

    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class Bucket(NamedTuple):
    """One bucket: where the calendar begins it, and the part of it that lies in the period."""

    start: int
    period: Period


def bucket_start(moment: int, granularity: Granularity) -> int:
    """Return the start of the bucket that a moment lies in, in microseconds since 1970."""
    if granularity is Granularity.HOURLY:
        return moment - moment % HOUR
    day = moment // DAY
    if granularity is Granularity.WEEKLY:
        day -= (day + _WEEKDAY_OF_EPOCH) % 7
    elif granularity is Granularity.MONTHLY:
        day -= (_EPOCH + timedelta(days=day)).day - 1
    return day * DAY


def buckets_of(period: Period, granularity: Granularity) -> list[Bucket]:
    """Return the buckets that a period touches, the first and the last one clipped to it.

    :raises InvalidInput: there are more than `MAX_BUCKETS`
    """
    found: list[Bucket] = []
    for start, end in _spans(period, granularity):
        if len(found) == MAX_BUCKETS:
            raise InvalidInput(
                f"granularity {granularity} would give more than {MAX_BUCKETS} buckets; "
                "take a shorter period or longer buckets.",
                param="granularity",
            )
        found.append(Bucket(start, Period(max(start, period.start), min(end, period.end))))
    return found


def _spans(period: Period, granularity: Granularity) -> Iterator[tuple[int, int]]:
    start = bucket_start(period.start, granularity) if period.start < period.end else period.end
    while start < period.end:
        end = _next(start, granularity)
        yield start, end
        start = end


def _next(start: int, granularity: Granularity) -> int:
    if granularity is not Granularity.MONTHLY:
        return start + {Granularity.HOURLY: HOUR, Granularity.DAILY: DAY}.get(granularity, 7 * DAY)
    # Every month ends within 31 days of its start, and the next one has begun.
    return MAX_MICROS + 1 if start + 31 * DAY > MAX_MICROS else bucket_start(start + 31 * DAY, granularity)
