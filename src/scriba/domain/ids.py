"""Identifiers: a prefix that names the kind of thing, `_`, and a ULID in lower case.

A ULID is 48 bits of Unix time in milliseconds and 80 random bits, written as 26 characters of Crockford's
base 32 (https://github.com/ulid/spec). The random part is drawn afresh for each id and never counted up
within a millisecond: a proof shows the hash of a neighbouring record, and nobody may guess the record from it.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache
from typing import Final

from scriba.domain.entropy import random_piece

__all__ = ["derive_id", "is_id", "mint_id"]

_DIGITS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = tuple(high + low for high in _DIGITS for low in _DIGITS)
_ULID: Final = re.compile(f"[0-7][{_DIGITS}]{{25}}")
_MAX_MILLIS: Final = (1 << 48) - 1


def mint_id(prefix: str, micros: int | None = None) -> str:
    """Make a new id, as of now or of the given time in microseconds since 1970.

    :raises ValueError: if the time does not fit into 48 bits of milliseconds
    """
    return _id(prefix, time.time_ns() // 1_000_000 if micros is None else micros // 1000, random_piece()[:10])


def derive_id(prefix: str, micros: int, digest: bytes) -> str:
    """Return the id that this time and the first 80 bits of a keyed hash always give.

    For what must get the same id whenever it comes. Without the key the id is as hard to guess as a minted one.

    :raises ValueError: if the time does not fit into 48 bits of milliseconds
    """
    return _id(prefix, micros // 1000, digest[:10])


def is_id(text: str, prefix: str) -> bool:
    """Whether the text is an id with this prefix, of the form that `mint_id` makes."""
    return text.startswith(prefix + "_") and _ULID.fullmatch(text, len(prefix) + 1) is not None


def _id(prefix: str, millis: int, entropy: bytes) -> str:
    bits = int.from_bytes(entropy)
    return (
        f"{prefix}_{_time_part(millis)}"
        f"{_PAIRS[bits >> 70]}{_PAIRS[bits >> 60 & 1023]}{_PAIRS[bits >> 50 & 1023]}{_PAIRS[bits >> 40 & 1023]}"
        f"{_PAIRS[bits >> 30 & 1023]}{_PAIRS[bits >> 20 & 1023]}{_PAIRS[bits >> 10 & 1023]}{_PAIRS[bits & 1023]}"
    )


@lru_cache(maxsize=4)
def _time_part(millis: int) -> str:
    if not 0 <= millis <= _MAX_MILLIS:
        raise ValueError(f"{millis} milliseconds do not fit into an id")
    return "".join(_PAIRS[millis >> shift & 1023] for shift in (40, 30, 20, 10, 0))
