"""`limit` and `offset`, from text."""

from __future__ import annotations

import pytest

from scriba.domain.window import MAX_OFFSET, parse_limit, parse_offset
from scriba.errors import InvalidInput


def test_what_is_not_given() -> None:
    """Without a limit there is none; without an offset it is 0."""
    assert parse_limit([]) is None
    assert parse_offset([]) == 0


@pytest.mark.parametrize("number", [1, 100, 1000])
def test_limits(number: int) -> None:
    """1 to 1000 are limits."""
    assert parse_limit([str(number)]) == number


@pytest.mark.parametrize("number", [0, 7, MAX_OFFSET])
def test_offsets(number: int) -> None:
    """0 to 2^53 - 1 are offsets."""
    assert parse_offset([str(number)]) == number


@pytest.mark.parametrize(
    "given",
    [[text] for text in ("0", "-1", "1001", "abc", "", "1.0", "1e2", " 5", "+5", "1_0", "\u0665", "5,6")]
    + [["5", "6"]],
)
def test_anything_else_is_no_limit(given: list[str]) -> None:
    """Out of range numbers are refused, never clamped."""
    with pytest.raises(InvalidInput, match="limit must be one whole number from 1 to 1000") as caught:
        parse_limit(given)
    assert caught.value.param == "limit"


@pytest.mark.parametrize("given", [["-1"], [str(MAX_OFFSET + 1)], ["9" * 40], ["x"]])
def test_anything_else_is_no_offset(given: list[str]) -> None:
    """An offset that no list can have is refused."""
    with pytest.raises(InvalidInput, match="offset must be one whole number from 0 to 9007199254740991"):
        parse_offset(given)
