"""A value that must never be shown."""

from __future__ import annotations

import hmac
from typing import AnyStr, Generic, Never

__all__ = ["Secret"]


class Secret(Generic[AnyStr]):
    """Text or bytes that no log, traceback or `repr` gives away; `reveal()` is the only way out.

    Two secrets are equal when their values are (compared in constant time). A secret cannot be pickled or
    encoded, so it never lands in a file by accident.
    """

    __slots__ = ("_value",)

    def __init__(self, value: AnyStr) -> None:
        self._value: AnyStr = value

    def reveal(self) -> AnyStr:
        """Return the value itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_to_bytes(self._value), _to_bytes(other._value))

    def __hash__(self) -> int:
        return hash(_to_bytes(self._value))

    def __reduce__(self) -> Never:
        raise TypeError("a Secret cannot be serialised")


def _to_bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
