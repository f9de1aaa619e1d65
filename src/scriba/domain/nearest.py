"""What somebody probably meant by a name that is not known."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["did_you_mean", "is_slip", "nearest"]

_ALIKE: Final = 0.75
"""Share of letters in common from which a name is worth a guess: of four letters, two may be swapped or one wrong."""

_SEPARATORS: Final = re.compile(r"[-._]")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like `name`, whatever its case, or None if none is alike."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    found = get_close_matches(name.casefold(), by_folded, n=1, cutoff=_ALIKE)
    return by_folded[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the question that names the nearest known name, or else the list of all names."""
    names = sorted(known)
    found = nearest(name, names)
    return f"Did you mean {found}?" if found else f"Known are: {', '.join(names) or 'none'}."


def is_slip(name: str, known: str) -> bool:
    """Whether one slip of the finger makes `name` of `known`: a letter too many, missing, wrong, or two swapped.

    Separators do not count, but a digit does: `openai2` is a second one, and meant so.
    """
    one, other = (_SEPARATORS.sub("", text.casefold()) for text in (name, known))
    before = _in_common(one, other)
    one, other = one[before:], other[before:]
    after = _in_common(one[::-1], other[::-1])
    one, other = one[: len(one) - after], other[: len(other) - after]
    if not one + other:
        return True
    return (one + other).isalpha() and (max(len(one), len(other)) == 1 or (len(one) == 2 and one == other[::-1]))


def _in_common(one: str, other: str) -> int:
    """Count the letters that both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))
