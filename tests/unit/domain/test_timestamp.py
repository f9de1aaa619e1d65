"""Times as text."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriba.domain.timestamp import MAX_MICROS, InvalidTimestamp, format_timestamp, parse_timestamp


@given(st.integers(0, MAX_MICROS))
def test_text_and_time_are_one_to_one(micros: int) -> None:
    """Every time from 1970 to 9999 has one text, which is RFC 3339 and reads back."""
    text = format_timestamp(micros)
    assert parse_timestamp(text) == micros
    assert datetime.fromisoformat(text) == datetime.fromtimestamp(micros // 1_000_000, UTC).replace(
        microsecond=micros % 1_000_000
    )
    assert len(text) in (20, 27)


@pytest.mark.parametrize("micros", [-1, MAX_MICROS + 1, 2**64])
def test_years_outside_the_range_are_refused(micros: int) -> None:
    """A time that the text cannot say is an error, not another year."""
    with pytest.raises(InvalidTimestamp):
        format_timestamp(micros)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2025-01-10",
        "2025-01-10T14:30:00",
        "2025-01-10 14:30:00Z",
        "2025-01-10T14:30:00.0000001Z",
        "2025-01-10T14:30:00,000001Z",
        "2025-01-10T24:00:00Z",
        "2025-13-10T14:30:00Z",
        "1969-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "٢٠٢٥-01-10T14:30:00Z",
        "2025-01-10T14:30:00Z\n",
        " 2025-01-10T14:30:00Z",
        "2025-W02-5T14:30:00Z",
    ],
)
def test_any_other_form_is_refused(text: str) -> None:
    """Only the one form is read, in ASCII digits and without anything around it."""
    with pytest.raises(InvalidTimestamp):
        parse_timestamp(text)


@given(st.text(max_size=30))
def test_hostile_text_raises_only_our_error(text: str) -> None:
    """Whatever the text is, reading it gives a time that writes the same text, or our error."""
    try:
        micros = parse_timestamp(text)
    except InvalidTimestamp:
        return
    assert format_timestamp(micros) == text
