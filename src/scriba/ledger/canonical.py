"""Canonical JSON (RFC 8785) of records, and of the documents that records name by their hash.

The encoder sorts names by code point and writes integers only, which gives the bytes of RFC 8785 as long
as names are ASCII and there is no fraction and no integer beyond 2^53-1. Whatever else Python could put
into JSON is therefore refused.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

__all__ = [
    "MAX_INTEGER",
    "MAX_RECORD",
    "InvalidRecord",
    "canonical_json",
    "check_text",
    "document_json",
    "encode",
]

MAX_INTEGER: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps exact (RFC 7493, section 2.2)."""

MAX_RECORD: Final = 65_534
"""Bytes of the largest record: an entry of a tlog-tiles bundle has a length of 16 bits."""

MAX_DEPTH: Final = 16
"""Levels of lists and objects within one value."""

_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_FORBIDDEN: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


class InvalidRecord(ValueError):
    """A record, or a value for one, that the format does not allow; `field` says where."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field} {message}")
        self.field = field
        self.message = message


def canonical_json(value: object) -> bytes:
    """Encode a value as it may stand in a record.

    There `null`, empty text and empty lists and objects mean "absent" and are left out, so that a meaning has
    one form.

    :raises InvalidRecord: for those, and for anything else that a record cannot hold
    """
    _check(value, "record", 0, strict=True)
    return encode(value)


def document_json(value: object) -> bytes:
    """Encode a document that is kept by its hash, such as a policy.

    It may hold `null`, empty values, negative numbers and control characters.

    :raises InvalidRecord: for fractions, wide integers, names that are not ASCII and lone surrogates
    """
    _check(value, "document", 0, strict=False)
    try:
        return encode(value)
    except UnicodeEncodeError as error:
        raise InvalidRecord("document", "holds half of a surrogate pair") from error


def encode(value: object) -> bytes:
    """Encode a value that is known to keep the rules above; `msgspec.Raw` passes as it is."""
    return _ENCODER.encode(value)


def check_text(text: str, field: str, limit: int) -> None:
    """Check characters and length (in bytes of UTF-8) of a text.

    :raises InvalidRecord: for U+0000 to U+001F, U+007F, a lone surrogate, or a text that is too long
    """
    # `isprintable` is quicker than the search and false for everything that the search finds.
    if not text.isprintable() and (found := _FORBIDDEN.search(text)) is not None:
        raise InvalidRecord(field, f"contains the character U+{ord(found[0]):04X}, which cannot be logged")
    # No character takes more than four bytes.
    if len(text) * 4 > limit and (size := len(text.encode())) > limit:
        raise InvalidRecord(field, f"has {size} bytes; the limit is {limit}")


def _check(value: object, field: str, depth: int, *, strict: bool) -> None:
    if isinstance(value, str):
        if strict:
            check_text(value, field, MAX_RECORD)
    elif isinstance(value, int):
        _check_integer(value, field, strict=strict)
    elif isinstance(value, list | tuple | dict):
        if depth == MAX_DEPTH:
            raise InvalidRecord(field, f"is nested more than {MAX_DEPTH} levels deep")
        items = _named(value, field) if isinstance(value, dict) else ((f"{field}[]", item) for item in value)
        for name, item in items:
            _check(item, name, depth + 1, strict=strict)
    elif value is not None:
        raise InvalidRecord(field, f"is of a type that cannot be logged ({type(value).__name__})")
    if strict and (value is None or (not value and not isinstance(value, int))):
        raise InvalidRecord(field, "is null or empty; leave it out instead")


def _check_integer(value: int, field: str, *, strict: bool) -> None:
    lowest = 0 if strict else -MAX_INTEGER
    if not lowest <= value <= MAX_INTEGER:
        raise InvalidRecord(field, f"is {value}; integers go from {lowest} to {MAX_INTEGER}")


def _named(value: dict[object, object], field: str) -> list[tuple[str, object]]:
    """Members of an object with their names, below the name of the object itself."""
    below = "" if field == "record" else f"{field}."
    members = []
    for name, item in value.items():
        if not isinstance(name, str) or not name.isascii() or not name.isprintable() or not name:
            raise InvalidRecord(field, "has a member whose name is not plain ASCII")
        members.append((below + name, item))
    return members
