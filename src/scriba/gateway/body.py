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
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping

__all__ = ["MAX_NAMES", "Body", "parse_body"]

MAX_NAMES: Final = 1_000
"""Top-level names of one body: bounds the time that looking at them takes."""

_SHOWN: Final = 128
"""Characters of a name that an error repeats."""

_EXPLAINED: Final = 1024 * 1024
"""Bytes up to which a malformed body is read a second time, to say which field is at fault."""

_NOTHING: Final = (b"null", b"false")
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw] | None)
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)
_TEXT: Final = msgspec.json.Decoder(str | None)
# Possessive, so that a long name costs one pass. The decoder has checked the syntax before these are used.
_NAME: Final = re.compile(rb'[ \t\n\r]*+"[^"\\]*+(?:\\.[^"\\]*+)*+"[ \t\n\r]*+:[ \t\n\r]*+', re.DOTALL)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SEPARATOR: Final = re.compile(rb"[ \t\n\r]*+[,}]")


class _Name(str):
    """A top-level name; of a type of its own, since the decoder asks about those only."""

    __slots__ = ()


class _Tool(msgspec.Struct):
    type: str = ""  # Anthropic's own tools have one, the caller's need none


_TOOLS: Final = msgspec.json.Decoder(list[_Tool] | None)


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

    def find(self, names: Container[str]) -> str:
        """Return the first field that is one of `names` (in lower case), whatever its case; empty if none is.

        One that is null or false says nothing and does not count.
        """
        return next((name for name in self._fields if name.casefold() in names and self.is_set(name)), "")

    def is_set(self, name: str) -> bool:
        """Whether a top-level field is there, and neither null nor false."""
        return name in self._fields and bytes(self._fields[name]) not in _NOTHING

    def objects(self, name: str, names: Iterable[str], at: str) -> Iterator[Body]:
        """Yield the objects in a top-level list, each read as strictly as a body; none if the list is absent.

        :param names: as in `parse_body`
        :param at: what the list is called in an error
        :raises InvalidInput: it is no list, or one of them is at fault
        """
        try:
            items = _ITEMS.decode(self._fields.get(name, b"null")) or ()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise InvalidInput(f"`{at}` must be a list of objects.", param=at) from None
        for item in items:
            try:
                read = parse_body(bytes(item), names)
            except InvalidInput as error:
                raise InvalidInput(f"In `{at}`: {error}", param=at) from None
            yield read

    def object(self, name: str, names: Iterable[str], at: str) -> Body:
        """Return a top-level object, read as strictly as a body.

        :raises InvalidInput: it is none, or at fault
        """
        try:
            return parse_body(bytes(self._fields.get(name, b"{}")), names)
        except InvalidInput as error:
            raise InvalidInput(f"In `{at}`: {error}", param=at) from None

    def begins_with(self, name: str, start: bytes) -> bool:
        """Whether the JSON text of a top-level field begins so."""
        return bytes(self._fields.get(name, b"")).startswith(start)

    def tool_types(self) -> tuple[str, ...]:
        """Return the types of the tools that the request offers.

        :raises InvalidInput: if they have none that can be told
        """
        try:
            tools = _TOOLS.decode(self._fields.get("tools", b"null"))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise InvalidInput("`tools` must be a list of tools, each with its `type`.", param="tools") from None
        return tuple(tool.type for tool in tools or ())

    def text(self, name: str) -> str:
        """Return a top-level text; empty if it is absent or null.

        :param name: `metadata.user_id` is that field of the object `metadata`
        :raises InvalidInput: if it is something else
        """
        outer, dot, inner = name.partition(".")
        raw = self._fields.get(outer)
        if raw is not None and dot:
            raw = _member(raw, outer).get(inner)
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


def _member(raw: msgspec.Raw, name: str) -> dict[str, msgspec.Raw]:
    try:
        return _OBJECT.decode(raw) or {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidInput(f"`{name}` must be an object.", param=name) from None


def parse_body(raw: bytes, names: Iterable[str]) -> Body:
    """Read a body that must be one JSON object.

    :param names: the names that will be asked for; another name that differs from one of them only by case is
        refused, since some servers do not tell them apart
    :raises InvalidInput: naming the field where one is at fault
    """
    try:
        read = msgspec.json.Decoder(dict[_Name, msgspec.Raw], dec_hook=_checked_names()).decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(raw, error) from None
    fields = {str(name): value for name, value in read.items()}
    starts = _starts(raw, fields)
    for name in names:
        _check_spelling(name, fields)
    return Body(raw, fields, starts)


def _checked_names() -> Callable[[type[_Name], str], _Name]:
    """Return what the decoder asks about each name as it comes: one that is repeated, or one too many, ends it."""
    seen: set[str] = set()

    def checked(_: type[_Name], name: str) -> _Name:
        if name in seen:
            shown = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"
            raise InvalidInput(f"`{shown}` occurs more than once in the request body.", param=shown)
        if len(seen) == MAX_NAMES:
            raise InvalidInput(f"The request body has more than {MAX_NAMES} fields, which is the limit.", param="body")
        seen.add(name)
        return _Name(name)

    return checked


def _starts(raw: bytes, fields: Mapping[str, msgspec.Raw]) -> dict[str, int]:
    """Return where each value begins. The decoder keeps the order, and has checked the syntax."""
    starts = {}
    position = raw.index(b"{") + 1
    for name, value in fields.items():
        starts[name] = _NAME.match(raw, position).end()  # type: ignore[union-attr]
        position = _SEPARATOR.match(raw, starts[name] + len(value)).end()  # type: ignore[union-attr]
    return starts


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
