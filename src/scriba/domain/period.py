"""Spans of time as people write them in filters.

A bound is a date or a timestamp (RFC 3339, section 5.6). A date means the whole UTC day, so that the last day
of a span belongs to it; a timestamp is exact. Every span is half open: its start belongs to it, its end does
not.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

from scriba.errors import InvalidInput

__all__ = ["DAY", "is_date", "parse_end", "parse_start"]

DAY: Final = 86_400_000_000
"""A UTC day in microseconds."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIMESTAMP: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]([01]\d|2[0-3]):\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_EXAMPLES: Final = "a date like 2025-01-31 or a timestamp like 2025-01-31T14:30:00Z"


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


def _start_of_day(text: str, param: str) -> int:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise _not_a_time(text, param) from error
    return (day - _EPOCH.date()).days * DAY


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
