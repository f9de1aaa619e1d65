"""Entries as files: the same JSON object that a list is, one object a line, and CSV.

All are written piece by piece, so an export takes the same memory whatever its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from scriba.audit.entry import Entry
from scriba.audit.table import DEFAULT_COLUMNS, csv_chunks
from scriba.domain.timestamp import MAX_MICROS, format_timestamp
from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scriba.audit.query import Export, Page
    from scriba.domain.filter import Filters
    from scriba.domain.window import Window

__all__ = [
    "FORMATS",
    "EntryPagination",
    "FileFormat",
    "Pagination",
    "entry_chunks",
    "export_chunks",
    "file_name",
    "json_chunks",
    "ndjson_chunks",
    "page_json",
    "pagination_of",
    "parse_format",
]

_encode: Final = msgspec.json.Encoder().encode


class FileFormat(NamedTuple):
    """A kind of file, which is also the ending of its name, and its media type."""

    name: str
    media_type: str


FORMATS: Final = {
    "csv": FileFormat("csv", "text/csv"),
    "json": FileFormat("json", "application/json"),
    "ndjson": FileFormat("ndjson", "application/x-ndjson"),
    "jsonl": FileFormat("ndjson", "application/x-ndjson"),
}
"""What entries can be exported as, by what people call it."""


class Pagination(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which part of a list an answer holds. `total` counts the whole list."""

    total: int
    limit: int
    offset: int
    has_more: bool


def pagination_of(window: Window, total: int, count: int) -> Pagination:
    """Say which part of a list of `total` members an answer with `count` of them holds."""
    return Pagination(total=total, limit=window.limit, offset=window.offset, has_more=window.offset + count < total)


class EntryPagination(Pagination, frozen=True, kw_only=True, rename="camel"):
    """Which part of the entries an answer holds.

    `nextCursor` stands there if there are more, and gives them as `cursor`, whatever arrives meanwhile. Before the time
    `completeUpTo` nothing can arrive any more; it is null if imports could match.
    """

    next_cursor: str | msgspec.UnsetType = msgspec.UNSET
    complete_up_to: str | None


class _Listing(msgspec.Struct, frozen=True):
    logs: Sequence[Entry]
    pagination: EntryPagination


def parse_format(given: Sequence[str]) -> FileFormat | None:
    """Read `format`; None if it was not given.

    :raises InvalidInput: it is not one known format
    """
    if not given:
        return None
    if len(given) > 1 or given[0] not in FORMATS:
        said = ", ".join(map(repr, given))
        raise InvalidInput(f"format must be csv, json or ndjson (also called jsonl), not {said}.", param="format")
    return FORMATS[given[0]]


def page_json(page: Page) -> bytes:
    """Write a part of a list."""
    part = EntryPagination(
        total=page.total,
        limit=page.limit,
        offset=page.offset,
        has_more=page.has_more,
        next_cursor=page.next_cursor or msgspec.UNSET,
        complete_up_to=_moment(page.complete_up_to),
    )
    return _encode(_Listing(page.entries, part))


def export_chunks(export: Export, kind: FileFormat, columns: Sequence[str] = DEFAULT_COLUMNS) -> Iterator[bytes]:
    """Write every entry as a file.

    :param columns: of CSV, as `scriba.audit.table` knows them
    """
    return json_chunks(export) if kind.name == "json" else entry_chunks(export.chunks, kind, columns)


def entry_chunks(
    chunks: Iterable[Sequence[Entry]], kind: FileFormat, columns: Sequence[str] = DEFAULT_COLUMNS
) -> Iterator[bytes]:
    """Write entries in a format of lines."""
    return csv_chunks(chunks, columns) if kind.name == "csv" else ndjson_chunks(chunks)


def file_name(org_name: str, filters: Filters, kind: FileFormat) -> str:
    """Return a name that says whose entries of which days a file has, such as `audit-logs-acme-from-2025-01-01.csv`."""
    start = None if filters.start is None else _day(filters.start)
    end = None if filters.end is None else _day(max(filters.end - 1, 0))  # the last moment that belongs to it
    if start is not None and end is not None:
        span = f"-{start}-to-{end}"
    else:
        span = f"-from-{start}" if start is not None else f"-to-{end}" if end is not None else ""
    return f"audit-logs-{org_name}{span}.{kind.name}"


def json_chunks(export: Export) -> Iterator[bytes]:
    """Write every entry as one list with a single page, in the form of `page_json`."""
    before = b'{"logs":['
    for chunk in export.chunks:
        yield before + b",".join(map(_encode, chunk))
        before = b","
    part = EntryPagination(
        total=export.total,
        limit=export.total,
        offset=export.offset,
        has_more=False,
        complete_up_to=_moment(export.complete_up_to),
    )
    yield (b"" if before == b"," else before) + b'],"pagination":' + _encode(part) + b"}"


def ndjson_chunks(chunks: Iterable[Sequence[Entry]]) -> Iterator[bytes]:
    """Write each entry as one line of JSON."""
    for chunk in chunks:
        yield b"".join(_encode(entry) + b"\n" for entry in chunk)


def _moment(micros: int | None) -> str | None:
    return None if micros is None else format_timestamp(micros)


def _day(micros: int) -> str:
    return format_timestamp(min(max(micros, 0), MAX_MICROS))[:10]
