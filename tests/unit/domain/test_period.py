"""Dates and timestamps in filters."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriba.domain.period import DAY, is_date, parse_end, parse_start
from scriba.errors import InvalidInput

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


@given(st.dates())
def test_date_means_the_whole_day(day: date) -> None:
    """A date starts at its midnight and ends at the next, in UTC."""
    midnight = (day - EPOCH.date()).days * DAY
    assert parse_start(day.isoformat(), "startDate") == midnight
    assert parse_end(day.isoformat(), "endDate") == midnight + DAY


@given(st.datetimes(timezones=st.timedeltas(timedelta(hours=-14), timedelta(hours=14)).map(
    lambda offset: timezone(timedelta(minutes=offset // timedelta(minutes=1)))
)))  # fmt: skip
def test_timestamp_is_exact(moment: datetime) -> None:
    """A timestamp means the same microsecond as a start and as an end, whatever its offset."""
    assert parse_start(moment.isoformat(), "startDate") == _micros(moment)
    assert parse_end(moment.isoformat(), "endDate") == _micros(moment)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-01-10T14:30:00Z", datetime(2025, 1, 10, 14, 30, tzinfo=UTC)),
        ("2025-01-10t14:30:00z", datetime(2025, 1, 10, 14, 30, tzinfo=UTC)),
        ("2025-01-10T14:30:00.5Z", datetime(2025, 1, 10, 14, 30, 0, 500_000, tzinfo=UTC)),
        ("2025-01-10T16:30:00.000001+02:00", datetime(2025, 1, 10, 14, 30, 0, 1, tzinfo=UTC)),
    ],
)
def test_forms_of_rfc_3339(text: str, moment: datetime) -> None:
    """Every form of RFC 3339 down to the microsecond is read."""
    assert parse_start(text, "startDate") == _micros(moment)


@pytest.mark.parametrize(
    "text",
    [
        "2025-02-30",
        "2025-13-01",
        "2025-1-1",
        "20250101",
        "2025",
        "2025-01",
        "\u0662\u0660\u0662\u0665-\u0660\u0661-\u0660\u0661",
        "0000-01-01",
        "2025-01-10T14:30:00",
        "2025-01-10T14:30Z",
        "2025-01-10 14:30:00Z",
        "2025-01-10T24:00:00Z",
        "2025-01-10T23:59:60Z",
        "2025-01-10T14:30:00.1234567Z",
        "2025-01-10T14:30:00+25:00",
        "2025-02-30T00:00:00Z",
        "2025-01-10\n",
        "yesterday",
        "",
    ],
)
def test_anything_else_is_refused_by_name(text: str) -> None:
    """What is no date or timestamp of the calendar is refused, naming the parameter and what it allows."""
    with pytest.raises(InvalidInput, match="endDate must be a date like 2025-01-31 or a timestamp") as caught:
        parse_end(text, "endDate")
    assert caught.value.param == "endDate"


def test_a_lost_plus_sign_is_explained() -> None:
    """An offset whose plus sign became a space in the URL gets the remedy."""
    with pytest.raises(InvalidInput, match="%2B"):
        parse_start("2025-01-01T00:00:00 00:00", "startDate")


def test_only_dates_are_dates() -> None:
    """A date is told from a timestamp by its form alone."""
    assert is_date("2025-02-30")
    assert not is_date("2025-02-28T00:00:00Z")
