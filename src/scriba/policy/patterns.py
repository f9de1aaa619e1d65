"""Model names with `*` for any run of characters, compared without regard to case."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

__all__ = ["Patterns", "compile_patterns"]

CACHE_SIZE: Final = 1024


class Patterns:
    """A list of patterns, any of which may match. The time to match is linear in name and pattern."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        lowered = {pattern.lower() for pattern in patterns}
        self._exact = frozenset(pattern for pattern in lowered if "*" not in pattern)
        self._wild = tuple(tuple(pattern.split("*")) for pattern in sorted(lowered) if "*" in pattern)

    def match(self, name: str) -> bool:
        """Whether one of them matches all of `name`, which is in lower case."""
        return name in self._exact or any(_matches(pieces, name) for pieces in self._wild)


@lru_cache(CACHE_SIZE)
def compile_patterns(patterns: tuple[str, ...]) -> Patterns:
    """Return the patterns, made ready once."""
    return Patterns(patterns)


def _matches(pieces: tuple[str, ...], name: str) -> bool:
    """Whether the pieces between the stars are found in this order, the first and the last at the ends."""
    first, *inner, last = pieces
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    start, end = len(first), len(name) - len(last)
    for piece in inner:
        found = name.find(piece, start, end)
        if found < 0:
            return False
        start = found + len(piece)
    return True
