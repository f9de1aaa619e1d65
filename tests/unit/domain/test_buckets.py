"""Buckets of the calendar, against the standard library's calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriba.domain.buckets import HOUR, MAX_BUCKETS, Granularity, bucket_start, buckets_of
from scriba.domain.period import DAY, Period, parse_period
from scriba.domain.timestamp import MAX_MICROS
from scriba.errors import InvalidInput

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, MAX_MICROS)


def at(moment: int) -> datetime:
    """Return a moment as a datetime."""
    return EPOCH + timedelta(microseconds=moment)


@given(MOMENTS)
def test_each_bucket_begins_where_the_calendar_says(moment: int) -> None:
    """Promise: hours, days, ISO weeks and months begin at their own midnight or full hour, in UTC."""
    time = at(moment)
    hour = time.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    starts = {each: bucket_start(moment, each) for each in Granularity}
    assert at(starts[Granularity.HOURLY]) == hour
    assert at(starts[Granularity.DAILY]) == day
    assert at(starts[Granularity.WEEKLY]) == day - timedelta(days=time.weekday())
    assert at(starts[Granularity.MONTHLY]) == day.replace(day=1)


@given(MOMENTS, st.integers(0, 400 * DAY), st.sampled_from(list(Granularity)))
def test_buckets_cover_a_period_without_gap_or_overlap(start: int, length: int, granularity: Granularity) -> None:
    """Promise: together the buckets are the period, and each begins in another bucket of the calendar."""
    period = Period(start, min(start + length, MAX_MICROS + 1))
    found = buckets_of(period, granularity)
    edges = [period.start, *(bucket.period.end for bucket in found)]
    assert [bucket.period.start for bucket in found] == edges[:-1]
    assert edges[-1] == period.end
    assert [bucket_start(bucket.period.start, granularity) for bucket in found] == [bucket.start for bucket in found]
    assert len({bucket.start for bucket in found}) == len(found)


def test_an_empty_period_has_no_bucket() -> None:
    """Promise: a period without length is no bucket, wherever it lies in one."""
    assert buckets_of(Period(HOUR + 1, HOUR + 1), Granularity.DAILY) == []


def test_the_last_month_of_all_ends() -> None:
    """Promise: the calendar's last month is a bucket like the others."""
    (bucket,) = buckets_of(parse_period("9999-12", "period"), Granularity.MONTHLY)
    assert bucket.period.end == MAX_MICROS + 1


def test_too_many_buckets_are_refused() -> None:
    """Promise: a series is bounded, and who asks for more is told what to change."""
    period = Period(0, MAX_BUCKETS * HOUR)
    assert len(buckets_of(period, Granularity.HOURLY)) == MAX_BUCKETS
    with pytest.raises(InvalidInput, match="10000 buckets") as caught:
        buckets_of(Period(0, period.end + 1), Granularity.HOURLY)
    assert caught.value.param == "granularity"
