"""Points in time as text.

Inside the program a time is a whole number of microseconds since 1970-01-01T00:00:00Z, in UTC and
without leap seconds. In records, answers and exports it is RFC 3339 text with a `Z`: whole seconds, or
exactly six fraction digits if the microseconds are not 0. Each time has one text and each text one time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

__all__ = ["MAX_MICROS", "InvalidTimestamp", "format_timestamp", "moment", "parse_timestamp", "spoken"]

MAX_MICROS: Final = 253_402_300_799_999_999
"""9999-12-31T23:59:59.999999Z, the last time that the text can say."""

# Without a zone, so that `isoformat` ends before the offset and a `Z` can follow.
_EPOCH: Final = datetime.fromtimestamp(0, UTC).replace(tzinfo=None)
_MICROSECOND: Final = timedelta(microseconds=1)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FORM: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?Z")


class InvalidTimestamp(ValueError):
    """Not a time in the form described above."""


@lru_cache(maxsize=64)  # a batch of records shares one log time, and so does whatever answers about it
def format_timestamp(micros: int) -> str:
    """Write a time as text.

    :raises InvalidTimestamp: if it lies before 1970 or after 9999
    """
    if not 0 <= micros <= MAX_MICROS:
        raise InvalidTimestamp(f"{micros} microseconds are outside the years 1970 to 9999")
    # `isoformat` leaves the fraction out exactly if it is 0.
    return (_EPOCH + timedelta(microseconds=micros)).isoformat() + "Z"


def parse_timestamp(text: str) -> int:
    """Read a time from its text, in microseconds.

    :raises InvalidTimestamp: for any other text than `format_timestamp` writes
    """
    match = _FORM.fullmatch(text)
    if match is None or match[1] == ".000000":
        raise InvalidTimestamp(f"{text!r} is not a time like 2025-01-10T14:30:00Z")
    try:
        moment = datetime.fromisoformat(text[:-1])
    except ValueError as error:
        raise InvalidTimestamp(f"{text!r} is not a time: {error}") from error
    if moment < _EPOCH:
        raise InvalidTimestamp(f"{text!r} is before 1970")
    return (moment - _EPOCH) // _MICROSECOND


def moment(timestamp: str) -> tuple[str, str]:
    """Split the text of a time into day and time of day, to the second: `24 Nov 2026` and `14:31:07`."""
    year, month, day = timestamp[:10].split("-")
    return f"{int(day)} {_MONTHS[int(month) - 1]} {year}", timestamp[11:19]


def spoken(micros: int) -> str:
    """Write a time as a sentence says it, to the second: `24 Nov 2026, 14:31:07 UTC`."""
    return f"{', '.join(moment(format_timestamp(micros)))} UTC"
