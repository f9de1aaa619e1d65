"""Kinds of values that fields of a record can have: how each is checked, written and read.

`write` turns a value of the program into JSON, `read` does the reverse; both raise `InvalidRecord` for what
the format does not allow. `write` may answer None for "leave the field out".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from scriba.domain.record import Previous, TreeHead
from scriba.domain.timestamp import InvalidTimestamp, format_timestamp, parse_timestamp
from scriba.ledger.canonical import MAX_INTEGER, InvalidRecord, canonical_json, check_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from enum import StrEnum

__all__ = [
    "Attempt",
    "Choice",
    "Detail",
    "Flag",
    "Hash",
    "Head",
    "Kind",
    "Number",
    "Predecessor",
    "Text",
    "Texts",
    "Time",
]

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_HEAD_NAMES: Final = {"root", "size"}
_PREVIOUS_NAMES: Final = {"keptRoot", "keptSize", "origin", "reason", "signedRoot", "signedSize"}


class Kind(Protocol):
    """One kind of value."""

    def write(self, value: Any, name: str) -> Any:  # noqa: ANN401  # each kind has its own types
        """Turn a value of the program into JSON."""

    def read(self, value: Any, name: str) -> Any:  # noqa: ANN401  # see above
        """Turn JSON into a value of the program."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text of at most `limit` bytes."""

    limit: int

    def write(self, value: object, name: str) -> str:
        """Check the text."""
        if not isinstance(value, str) or not value:
            raise InvalidRecord(name, "must be a text")
        # Nearly every text is short and plain; `check_text` says what is wrong with another.
        if len(value) * 4 > self.limit or not value.isprintable():
            check_text(value, name, self.limit)
        return value

    read = write


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of at most `count` texts of at most `limit` bytes each."""

    count: int
    limit: int

    def write(self, value: Sequence[object], name: str) -> Sequence[str]:
        """Check the list."""
        if len(value) > self.count:
            raise InvalidRecord(name, f"has {len(value)} members; the limit is {self.count}")
        text = Text(self.limit)
        return [text.write(item, name) for item in value]

    def read(self, value: object, name: str) -> tuple[str, ...]:
        """Check the list and freeze it."""
        if not isinstance(value, list):
            raise InvalidRecord(name, "must be a list of texts")
        return tuple(self.write(value, name))


@dataclass(frozen=True, slots=True)
class Hash:
    """A SHA-256 as 64 lower-case hexadecimal digits."""

    def write(self, value: object, name: str) -> str:
        """Check the text."""
        if not isinstance(value, str) or _HASH.fullmatch(value) is None:
            raise InvalidRecord(name, "must be a SHA-256 in lower-case hexadecimal")
        return value

    read = write


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the texts of an enumeration."""

    options: frozenset[str]

    @classmethod
    def of(cls, enum: type[StrEnum]) -> Choice:
        """Allow the values of this enumeration."""
        return cls(frozenset(member.value for member in enum))

    def write(self, value: object, name: str) -> str:
        """Check the text."""
        if not isinstance(value, str) or value not in self.options:
            raise InvalidRecord(name, f"must be one of {', '.join(sorted(self.options))}")
        return value

    read = write


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    def write(self, value: object, name: str) -> bool:
        """Check the type."""
        if not isinstance(value, bool):
            raise InvalidRecord(name, "must be true or false")
        return value

    read = write


@dataclass(frozen=True, slots=True)
class Number:
    """An integer between two bounds, both included."""

    lowest: int = 0
    highest: int = MAX_INTEGER

    def write(self, value: object, name: str) -> int:
        """Check type and range."""
        if type(value) is not int or not self.lowest <= value <= self.highest:
            raise InvalidRecord(name, f"must be an integer from {self.lowest} to {self.highest}")
        return value

    read = write


@dataclass(frozen=True, slots=True)
class Attempt:
    """The number of an attempt. The first one is left out, so that "first attempt" has one form."""

    def write(self, value: object, name: str) -> int | None:
        """Check type and range; None for the first attempt."""
        number = Number(1).write(value, name)
        return None if number == 1 else number

    def read(self, value: object, name: str) -> int:
        """Check type and range, which begins at the second attempt."""
        return Number(2).read(value, name)


@dataclass(frozen=True, slots=True)
class Time:
    """A time in microseconds, as text in the record."""

    def write(self, value: int, name: str) -> str:
        """Write the time as text."""
        try:
            return format_timestamp(value)
        except InvalidTimestamp as error:
            raise InvalidRecord(name, f"is not a time: {error}") from error

    def read(self, value: object, name: str) -> int:
        """Read the time from its text."""
        if not isinstance(value, str):
            raise InvalidRecord(name, "must be a time")
        try:
            return parse_timestamp(value)
        except InvalidTimestamp as error:
            raise InvalidRecord(name, f"is not a time: {error}") from error


@dataclass(frozen=True, slots=True)
class Head:
    """Size and root of a log: `{"root", "size"}`."""

    def write(self, value: TreeHead, name: str) -> dict[str, object]:
        """Write both parts."""
        return {"root": _write_root(value.root, f"{name}.root"), "size": Number().write(value.size, f"{name}.size")}

    def read(self, value: object, name: str) -> TreeHead:
        """Read both parts."""
        members = _members(value, name, _HEAD_NAMES)
        return _read_head(members, name, "size", "root")


@dataclass(frozen=True, slots=True)
class Predecessor:
    """What a later generation says about the one before it."""

    def write(self, value: Previous, name: str) -> dict[str, object]:
        """Write its members."""
        return {
            "keptRoot": _write_root(value.kept.root, f"{name}.keptRoot"),
            "keptSize": Number().write(value.kept.size, f"{name}.keptSize"),
            "origin": Text(240).write(value.origin, f"{name}.origin"),
            "reason": Text(512).write(value.reason, f"{name}.reason"),
            "signedRoot": _write_root(value.signed.root, f"{name}.signedRoot"),
            "signedSize": Number().write(value.signed.size, f"{name}.signedSize"),
        }

    def read(self, value: object, name: str) -> Previous:
        """Read its members."""
        members = _members(value, name, _PREVIOUS_NAMES)
        return Previous(
            origin=Text(240).read(members["origin"], f"{name}.origin"),
            kept=_read_head(members, name, "keptSize", "keptRoot"),
            signed=_read_head(members, name, "signedSize", "signedRoot"),
            reason=Text(512).read(members["reason"], f"{name}.reason"),
        )


@dataclass(frozen=True, slots=True)
class Detail:
    """An object of names, numbers and hashes. Documents never stand in it: they are kept by their hash."""

    def write(self, value: object, name: str) -> object:
        """Check that it can stand in a record."""
        if not isinstance(value, dict):
            raise InvalidRecord(name, "must be an object")
        try:
            canonical_json(value)
        except InvalidRecord as error:
            where = name if error.field == "record" else f"{name}.{error.field}"
            raise InvalidRecord(where, error.message) from error
        return value

    read = write


def _write_root(root: bytes, name: str) -> str:
    return Hash().write(root.hex(), name)


def _read_head(members: dict[str, object], name: str, size: str, root: str) -> TreeHead:
    digest = Hash().read(members[root], f"{name}.{root}")
    return TreeHead(Number().read(members[size], f"{name}.{size}"), bytes.fromhex(digest))


def _members(value: object, name: str, names: set[str]) -> dict[str, object]:
    if not isinstance(value, dict) or value.keys() != names:
        raise InvalidRecord(name, f"must be an object of {', '.join(sorted(names))}")
    return value
