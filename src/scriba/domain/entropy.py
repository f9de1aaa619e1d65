"""Random bytes for ids and salts, read from the operating system in larger pieces.

Each request needs a few of them, and each call into the system gives the interpreter's lock away: taking a kilobyte at
a time saves a tenth of a request. A piece is used once; a forked process drops what it inherited.
"""

from __future__ import annotations

import os
from typing import Final

__all__ = ["PIECE", "random_piece"]

PIECE: Final = 16
"""Bytes of a piece."""

_PIECES_AT_ONCE: Final = 64
_pieces: Final[list[bytes]] = []


def random_piece() -> bytes:
    """Return 16 fresh random bytes. Threads may call it at once: taking from a list is atomic."""
    try:
        return _pieces.pop()
    except IndexError:
        fresh = os.urandom(PIECE * _PIECES_AT_ONCE)
        _pieces.extend(fresh[start : start + PIECE] for start in range(PIECE, len(fresh), PIECE))
        return fresh[:PIECE]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pieces.clear)
