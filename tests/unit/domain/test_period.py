"""Dates and timestamps in filters."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriba.domain.period import DAY, Period, first_of_month, is_date, parse_end, parse_period, parse_start
from scriba.domain.timestamp import MAX_MICROS
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
        "2025-01-10T14:30:00+24:00",
        "2025-01-10T14:30:00+00:60",
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


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("2025", "2025-01-01", "2026-01-01"),
        ("2025-Q1", "2025-01-01", "2025-04-01"),
        ("2024-Q4", "2024-10-01", "2025-01-01"),
        ("2025-01", "2025-01-01", "2025-02-01"),
        ("2024-02", "2024-02-01", "2024-03-01"),
        ("2025-04", "2025-04-01", "2025-05-01"),
        ("2025-W03", "2025-01-13", "2025-01-20"),
        ("2020-W53", "2020-12-28", "2021-01-04"),
        ("2025-W01", "2024-12-30", "2025-01-06"),
        ("2024-02-29", "2024-02-29", "2024-03-01"),
        ("1970", "1970-01-01", "1971-01-01"),
    ],
)
def test_named_periods(name: str, start: str, end: str) -> None:
    """Promise: years, quarters, months, ISO weeks and days mean what the calendar says."""
    assert parse_period(name, "period") == (parse_start(start, "a"), parse_start(end, "b"))


@pytest.mark.parametrize("name", ["9999", "9999-Q4", "9999-12", "9999-12-31"])
def test_the_last_periods_end_with_the_calendar(name: str) -> None:
    """Promise: the end of the year 9999 is no special case."""
    assert parse_period(name, "period").end == MAX_MICROS + 1


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "25",
            "2025-",
            "2025-13",
            "2025-00",
            "2025-Q5",
            "2025-q1",
            "2025-W53",
            "2025-W00",
            "2025-02-29",
            "2025-1",
        ),
        *("1969", "1969-12-31", "1970-W01", "0000", "٢٠٢٥", "2025-01 ", "2025-01-10T00:00:00Z", "last-month"),
    ],
)
def test_what_is_no_period(name: str) -> None:
    """Promise: a period that the calendar does not have is refused, with examples."""
    with pytest.raises(InvalidInput, match="2025-W03") as caught:
        parse_period(name, "period")
    assert caught.value.param == "period"


def test_the_last_second_of_a_period() -> None:
    """Promise: the end that a report prints is the last second that belongs to the period."""
    assert Period(0, 2_000_000).last_second == 1_000_000
    assert Period(0, 2_000_001).last_second == 2_000_000
    assert Period(5, 5).last_second == 5


@given(st.integers(0, MAX_MICROS).map(lambda moment: EPOCH + timedelta(microseconds=moment)))
def test_the_first_of_a_month(moment: datetime) -> None:
    """Promise: a month begins at its first midnight in UTC."""
    first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    assert first_of_month(_micros(moment)) == _micros(first)
