"""Identifiers."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from scriba.domain.ids import is_id, mint_id


@given(st.integers(0, (1 << 48) * 1000 - 1))
def test_an_id_is_a_ulid_of_its_time(micros: int) -> None:
    """Behind the prefix stands a ULID, by another implementation, whose time is the one asked for."""
    text = mint_id("audit", micros)
    assert text.startswith("audit_")
    assert ULID.from_str(text.removeprefix("audit_").upper()).milliseconds == micros // 1000
    assert text == text.lower()
    assert is_id(text, "audit")


def test_an_id_has_the_present_time_unless_told_otherwise() -> None:
    """Ids sort by the time they were made."""
    before = time.time_ns() // 1_000_000
    made = ULID.from_str(mint_id("req").removeprefix("req_").upper()).milliseconds
    assert before <= made <= time.time_ns() // 1_000_000


def test_ids_of_one_moment_cannot_be_guessed_from_each_other() -> None:
    """Within a millisecond the random parts are all different, and not counted up."""
    drawn = [ULID.from_str(mint_id("key", 0)[4:].upper()) for _ in range(500)]
    numbers = [int.from_bytes(value.bytes[6:]) for value in drawn]
    assert len(set(numbers)) == 500
    assert numbers != sorted(numbers)
    # Each of the 80 bits is drawn: all of them are seen set and not set.
    seen_set, seen_clear = 0, 0
    for number in numbers:
        seen_set |= number
        seen_clear |= ~number
    assert seen_set == (1 << 80) - 1
    assert seen_clear & seen_set == seen_set


@pytest.mark.parametrize(
    "text",
    [
        "audit_",
        "audit_abc123",
        "01jn7m5c3xq0v8w2r4t6y9z1ab",
        "req_01jn7m5c3xq0v8w2r4t6y9z1ab",
        "audit_01JN7M5C3XQ0V8W2R4T6Y9Z1AB",
        "audit_01jn7m5c3xq0v8w2r4t6y9z1au",
        "audit_81jn7m5c3xq0v8w2r4t6y9z1ab",
        "audit_01jn7m5c3xq0v8w2r4t6y9z1ab0",
        "audit_01jn7m5c3xq0v8w2r4t6y9z1ab\n",
    ],
)
def test_other_texts_are_no_ids(text: str) -> None:
    """A wrong prefix, length, case or digit is not an id of ours."""
    assert not is_id(text, "audit")


@pytest.mark.parametrize("micros", [-1000, (1 << 48) * 1000])
def test_a_time_beyond_48_bits_is_refused(micros: int) -> None:
    """A time that does not fit is an error, not another time."""
    with pytest.raises(ValueError, match="do not fit"):
        mint_id("audit", micros)
