"""Spans of time as people write them in filters and reports.

A bound is a date or a timestamp (RFC 3339, section 5.6). A date means the whole UTC day, so that the last day
of a span belongs to it; a timestamp is exact. A span can also have a name: a year, a quarter, a month, an ISO week
(ISO 8601) or a day, all in UTC. Every span is half open: its start belongs to it, its end does not.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

from scriba.domain.timestamp import MAX_MICROS
from scriba.errors import InvalidInput

__all__ = ["DAY", "Period", "first_of_month", "is_date", "parse_end", "parse_period", "parse_start"]

DAY: Final = 86_400_000_000
"""A UTC day in microseconds."""

_SECOND: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIMESTAMP: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]([01]\d|2[0-3]):\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_NAMED: Final = re.compile(
    r"(?P<year>\d{4})(-Q(?P<quarter>[1-4])|-W(?P<week>\d{2})|-(?P<month>\d{2})(-(?P<day>\d{2}))?)?", re.ASCII
)
_EXAMPLES: Final = "a date like 2025-01-31 or a timestamp like 2025-01-31T14:30:00Z"


class Period(NamedTuple):
    """A span from `start` (inclusive) to `end` (exclusive), in microseconds since 1970."""

    start: int
    end: int

    @property
    def last_second(self) -> int:
        """The start of the last second that belongs to it, at least in part; its own start if it is empty."""
        return max(self.start, (self.end - 1) // _SECOND * _SECOND)


def parse_period(text: str, param: str) -> Period:
    """Read a named period: 2025, 2025-Q1, 2025-01, 2025-W03 or 2025-01-10.

    :raises InvalidInput: naming `param`, if the text is no such name, or the calendar has no such period after 1970
    """
    match = _NAMED.fullmatch(text)
    try:
        period = None if match is None else _named_period(match)
    except ValueError:  # a month, week or day that the calendar does not have
        period = None
    if period is None or period.start < 0:
        raise InvalidInput(
            f"{param} must be a year, quarter, month, ISO week or day from 1970 on, like 2025, 2025-Q1, 2025-01, "
            f"2025-W03 or 2025-01-10, and {text!r} is not.",
            param=param,
        )
    return Period(period.start, min(period.end, MAX_MICROS + 1))


def first_of_month(moment: int) -> int:
    """Return the start of the UTC month that a moment lies in."""
    day = _EPOCH.date() + timedelta(days=moment // DAY)
    return _midnight(day.replace(day=1))


def is_date(text: str) -> bool:
    """Whether the text has the form of a date, which stands for the whole day."""
    return _DATE.fullmatch(text) is not None


def parse_start(text: str, param: str) -> int:
    """Read the first moment of a span, in microseconds since 1970.

    :raises InvalidInput: naming `param`, if the text is neither a date nor a timestamp of the calendar
    """
    return _start_of_day(text, param) if is_date(text) else _moment(text, param)


def parse_end(text: str, param: str) -> int:
    """Read the first moment after a span, in microseconds since 1970.

    :raises InvalidInput: naming `param`, if the text is neither a date nor a timestamp of the calendar
    """
    return _start_of_day(text, param) + DAY if is_date(text) else _moment(text, param)


def _named_period(match: re.Match[str]) -> Period:
    """Return the period of a name.

    :raises ValueError: the calendar has none of this name
    """
    year = int(match["year"])
    if match["week"]:
        start = _midnight(date.fromisocalendar(year, int(match["week"]), 1))
        return Period(start, start + 7 * DAY)
    if match["day"]:
        start = _midnight(date(year, int(match["month"]), int(match["day"])))
        return Period(start, start + DAY)
    if match["month"]:
        return _months(year, int(match["month"]), 1)
    if match["quarter"]:
        return _months(year, int(match["quarter"]) * 3 - 2, 3)
    return _months(year, 1, 12)


def _months(year: int, first: int, count: int) -> Period:
    last = date(year, first + count - 1, 28) + timedelta(days=3)  # into the last month's end or the next month
    end = _midnight(last) + DAY if last.month == first + count - 1 else _midnight(last.replace(day=1))
    return Period(_midnight(date(year, first, 1)), end)


def _midnight(day: date) -> int:
    return (day - _EPOCH.date()).days * DAY


def _start_of_day(text: str, param: str) -> int:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise _not_a_time(text, param) from error
    return _midnight(day)


def _moment(text: str, param: str) -> int:
    if _TIMESTAMP.fullmatch(text) is None:
        raise _not_a_time(text, param)
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise _not_a_time(text, param) from error
    return (moment - _EPOCH) // _MICROSECOND


def _not_a_time(text: str, param: str) -> InvalidInput:
    hint = "A plus sign in a URL is written %2B." if " " in text else None
    return InvalidInput(f"{param} must be {_EXAMPLES}, and {text!r} is not.", param=param, hint=hint)
