"""A JSON request body: its top-level names, where one value stands, and how to change that value and nothing else.

A name that occurs twice means one thing to one reader and another to the next: policy would judge one model and
the provider would serve another. So each name may occur once. Nested values are not looked at, only skipped.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

import msgspec

from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["MAX_NAMES", "Body", "parse_body"]

MAX_NAMES: Final = 1_000
"""Top-level names of one body: bounds the time that looking at them takes."""

_EXPLAINED: Final = 1024 * 1024
"""Bytes up to which a malformed body is read a second time, to say which field is at fault."""

_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT: Final = msgspec.json.Decoder(str | None)
# Possessive, so that a long name costs one pass. The decoder has checked the syntax before these are used.
_NAME: Final = re.compile(rb'[ \t\n\r]*+("[^"\\]*+(?:\\.[^"\\]*+)*+")[ \t\n\r]*+:[ \t\n\r]*+', re.DOTALL)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SEPARATOR: Final = re.compile(rb"[ \t\n\r]*+[,}]")


class Body:
    """A body that has been read.

    :ivar raw: the bytes as received
    """

    __slots__ = ("_fields", "_starts", "raw")

    def __init__(self, raw: bytes, fields: Mapping[str, msgspec.Raw], starts: Mapping[str, int]) -> None:
        self.raw = raw
        self._fields = fields
        self._starts = starts

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def text(self, name: str) -> str:
        """Return a top-level text; empty if it is absent or null.

        :raises InvalidInput: if it is something else
        """
        raw = self._fields.get(name)
        if raw is None:
            return ""
        try:
            return _TEXT.decode(raw) or ""
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise InvalidInput(f"`{name}` must be text.", param=name) from None

    def replaced(self, name: str, text: str) -> bytes:
        """Return the bytes with another text as the value of `name`; every other byte stays as it is."""
        start = self._starts[name]
        end = start + len(self._fields[name])
        return b"".join((self.raw[:start], msgspec.json.encode(text), self.raw[end:]))


def parse_body(raw: bytes, names: Iterable[str]) -> Body:
    """Read a body that must be one JSON object.

    :param names: the names that will be asked for; another name that differs from one of them only by case is
        refused, since some servers do not tell them apart
    :raises InvalidInput: naming the field where one is at fault
    """
    try:
        fields = _FIELDS.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(raw, error) from None
    if len(fields) > MAX_NAMES:
        raise InvalidInput(f"The request body has {len(fields)} fields; the limit is {MAX_NAMES}.", param="body")
    starts = _starts(raw, fields)
    for name in names:
        _check_spelling(name, fields)
    return Body(raw, fields, starts)


def _starts(raw: bytes, fields: Mapping[str, msgspec.Raw]) -> dict[str, int]:
    """Return where each value begins.

    The decoder keeps the first place and the last value of a name. Following places and values through the
    bytes therefore ends at the closing brace exactly if no name occurred twice.
    """
    starts = {}
    position = raw.index(b"{") + 1
    for name, value in fields.items():
        start = _NAME.match(raw, position).end()  # type: ignore[union-attr]  # the syntax has been checked
        separator = _SEPARATOR.match(raw, start + len(value))
        if separator is None or not raw.startswith(value, start):
            raise _repeated(raw, fields)
        starts[name] = start
        position = separator.end()
    if fields and raw[position - 1] != ord("}"):
        raise _repeated(raw, fields)
    return starts


def _repeated(raw: bytes, fields: Mapping[str, msgspec.Raw]) -> InvalidInput:
    """Find the name that occurs twice, by following the names instead of their places."""
    seen: set[str] = set()
    position = raw.index(b"{") + 1
    while (match := _NAME.match(raw, position)) is not None:
        name = msgspec.json.decode(match[1], type=str)
        value = fields[name]
        separator = _SEPARATOR.match(raw, match.end() + len(value))
        if name in seen or separator is None or not raw.startswith(value, match.end()):
            return InvalidInput(f"`{name}` occurs more than once in the request body.", param=name)
        seen.add(name)
        position = separator.end()
    raise AssertionError("no name occurs twice")


def _check_spelling(name: str, fields: Mapping[str, msgspec.Raw]) -> None:
    for other in fields:
        if len(other) == len(name) and other != name and other.casefold() == name:
            raise InvalidInput(f"`{other}` is not a field; did you mean `{name}`?", param=other)


def _malformed(raw: bytes, error: Exception) -> InvalidInput:
    if isinstance(error, msgspec.ValidationError):
        return InvalidInput("The request body must be a JSON object.", param="body")
    if isinstance(error, RecursionError):
        return InvalidInput("The request body is nested too deeply.", param="body")
    if isinstance(error, UnicodeDecodeError):
        return InvalidInput("The request body is not UTF-8.", param="body")
    if (name := _with_lone_surrogate(raw)) is not None:
        return InvalidInput(f"`{name}` contains half of a surrogate pair, which is not text.", param=name)
    return InvalidInput(f"The request body is not valid JSON: {_reason(error)}.", param="body")


def _reason(error: Exception) -> str:
    return str(error).removeprefix("JSON is malformed: ").replace("Input data was truncated", "it ends too early")


def _with_lone_surrogate(raw: bytes) -> str | None:
    """Return the first field that holds one. Python's own reader lets them pass, ours does not."""
    if len(raw) > _EXPLAINED:
        return None
    try:
        fields = json.loads(raw)
        for name, value in fields.items() if isinstance(fields, dict) else ():
            if _SURROGATE.search(json.dumps([name, value], ensure_ascii=False)):
                return str(name).encode(errors="replace").decode()
    except (ValueError, RecursionError):
        return None
    return None
