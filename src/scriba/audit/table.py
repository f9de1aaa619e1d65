"""Entries as a table, in CSV (RFC 4180) with lines ended by LF, as the contract prints them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from scriba.audit.entry import Entry, EntryOutcome
from scriba.domain.nearest import did_you_mean
from scriba.errors import InvalidInput
from scriba.policy.reasons import short_reasons

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = [
    "COLUMN_NAMES",
    "DEFAULT_COLUMNS",
    "OUTCOME_COLUMNS",
    "csv_cell",
    "csv_chunks",
    "members_of",
    "parse_columns",
    "text_of_cell",
]

DEFAULT_COLUMNS: Final = (
    "id",
    "timestamp",
    "request_id",
    "model",
    "provider",
    "policy_name",
    "allowed",
    "enforcement",
    "violations",
)
"""The columns of the contract, in its order."""

_SEPARATOR: Final = "; "
# The full-width forms, too: spreadsheets of East Asia take them for the same.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_QUOTED: Final = re.compile('[",\r\n]')


def _field(attribute: str) -> Callable[[Entry], object]:
    return lambda entry: getattr(entry, attribute)


def _outcome_field(attribute: str) -> Callable[[Entry], object]:
    return lambda entry: None if entry.outcome is None else getattr(entry.outcome, attribute)


def _fields_of(struct: type[msgspec.Struct]) -> Iterator[tuple[str, str]]:
    return ((field.encode_name, field.name) for field in msgspec.structs.fields(struct))


_OUTCOMES: Final = {f"outcome.{name}": _outcome_field(attribute) for name, attribute in _fields_of(EntryOutcome)}
_VALUES: Final[dict[str, Callable[[Entry], object]]] = {
    **{name: _field(attribute) for name, attribute in _fields_of(Entry) if name != "outcome"},
    **_OUTCOMES,
    "request_id": _field("request_id"),
    "policy_name": _field("policy_name"),
    "violations": lambda entry: _SEPARATOR.join(short_reasons(entry.violation_reasons)),
}

OUTCOME_COLUMNS: Final = tuple(_OUTCOMES)
"""The columns that there is something in only if outcomes are read with the entries."""

COLUMN_NAMES: Final = tuple(_VALUES)
"""All columns: the fields of an entry as the API calls them, and the names in the header of the contract."""


def parse_columns(given: Sequence[str]) -> tuple[str, ...]:
    """Read `columns`, repeated or joined by commas; none if none are given.

    :raises InvalidInput: there is no such column, or it is named twice
    """
    names = tuple(name for text in given for name in text.split(","))
    for name in names:
        if name not in _VALUES:
            hint = did_you_mean(name, COLUMN_NAMES)
            raise InvalidInput(f"There is no column {name[:100]!r}.", param="columns", hint=hint)
        if names.count(name) > 1:
            raise InvalidInput(f"columns has {name} twice.", param="columns")
    return names


def csv_chunks(chunks: Iterable[Sequence[Entry]], columns: Sequence[str] = DEFAULT_COLUMNS) -> Iterator[bytes]:
    """Write entries as lines, the header first."""
    readers = [(_VALUES[name], name == "violations") for name in columns]
    yield (",".join(columns) + "\n").encode()
    for chunk in chunks:
        yield "".join(_line(entry, readers) for entry in chunk).encode()


def _line(entry: Entry, readers: Sequence[tuple[Callable[[Entry], object], bool]]) -> str:
    return ",".join([csv_cell(read(entry), always_quoted=quoted) for read, quoted in readers]) + "\n"


def csv_cell(value: object, *, always_quoted: bool = False) -> str:
    """Write one cell, so that a spreadsheet takes it for text."""
    text = value if isinstance(value, str) else _text(value)
    if _needs_apostrophe(text):
        text = f"'{text}"  # a spreadsheet would run what somebody named a model
    if _QUOTED.search(text) or (always_quoted and text):
        return '"' + text.replace('"', '""') + '"'
    return text


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return _joined(value)
    return "" if value is None else str(value)


def _joined(members: Sequence[str]) -> str:
    """Join the members of a list, or write them as JSON if nobody could tell them apart then."""
    if any(_SEPARATOR in member for member in members) or (members and members[0].startswith("[")):
        return msgspec.json.encode(members).decode()
    return _SEPARATOR.join(members)


def _needs_apostrophe(text: str) -> bool:
    """Whether a text runs as a formula, or could be taken for one with its apostrophe."""
    return text.startswith(_FORMULA_STARTS) or (text[:1] == "'" and text.lstrip("'").startswith(_FORMULA_STARTS))


def text_of_cell(cell: str) -> str:
    """Return the text that `csv_cell` has written, quotes being gone already."""
    return cell[1:] if cell[:1] == "'" and _needs_apostrophe(cell) else cell


def members_of(text: str) -> list[str]:
    """Return the members of a list from the text in its cell.

    :raises InvalidInput: it is JSON, and not a list of texts
    """
    if not text.startswith("["):
        return text.split(_SEPARATOR)
    try:
        return msgspec.json.decode(text, type=list[str])
    except msgspec.MsgspecError:
        raise InvalidInput("A list is JSON, or its members joined by a semicolon and a space.") from None
