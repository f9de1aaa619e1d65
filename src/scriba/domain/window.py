"""Which part of a list somebody wants to see."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar

import msgspec

from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DEFAULT_LIMIT", "MAX_LIMIT", "MAX_OFFSET", "Order", "Window", "parse_limit", "parse_offset", "parse_order"]

Order: TypeAlias = Literal["desc", "asc"]
"""Newest first, or oldest first."""

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000
MAX_OFFSET: Final = 2**53 - 1

_Member = TypeVar("_Member")

_DIGITS: Final = re.compile(r"[0-9]{1,16}")


class Window(msgspec.Struct, frozen=True):
    """At most `limit` members of a list, after the first `offset`."""

    limit: int = DEFAULT_LIMIT
    offset: int = 0

    def part_of(self, members: Sequence[_Member]) -> Sequence[_Member]:
        """Return what is wanted of a whole list."""
        return members[self.offset : self.offset + self.limit]


def parse_limit(given: Sequence[str]) -> int | None:
    """Read `limit`; None if it was not given.

    :raises InvalidInput: if it is not one whole number from 1 to 1000
    """
    return _number(given, "limit", 1, MAX_LIMIT)


def parse_offset(given: Sequence[str]) -> int:
    """Read `offset`; 0 if it was not given.

    :raises InvalidInput: if it is not one whole number from 0 on
    """
    return _number(given, "offset", 0, MAX_OFFSET) or 0


def parse_order(given: Sequence[str]) -> Order:
    """Read `order`; newest first if it was not given.

    :raises InvalidInput: if it is neither `desc` nor `asc`
    """
    if not given or list(given) == ["desc"]:
        return "desc"
    if list(given) == ["asc"]:
        return "asc"
    raise InvalidInput(f"order must be asc or desc, not {', '.join(map(repr, given))}.", param="order")


def _number(given: Sequence[str], param: str, least: int, most: int) -> int | None:
    if not given:
        return None
    number = int(given[0]) if len(given) == 1 and _DIGITS.fullmatch(given[0]) else -1
    if not least <= number <= most:
        said = ", ".join(repr(text) for text in given)
        raise InvalidInput(f"{param} must be one whole number from {least} to {most}, not {said}.", param=param)
    return number
