"""Entries as files: the same JSON object that a list is, and CSV (RFC 4180).

Both are written piece by piece, so an export takes the same memory whatever its size.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from scriba.audit.entry import Entry
from scriba.policy.reasons import short_reasons

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scriba.audit.query import Export, Page

__all__ = ["CSV_HEADER", "Pagination", "csv_chunks", "json_chunks", "page_json"]

CSV_HEADER: Final = b"id,timestamp,request_id,model,provider,policy_name,allowed,enforcement,violations\n"

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
_QUOTED: Final = re.compile('[",\r\n]')
_encode: Final = msgspec.json.Encoder().encode


class Pagination(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which part of a list an answer holds. `total` counts the whole list."""

    total: int
    limit: int
    offset: int
    has_more: bool


class _Listing(msgspec.Struct, frozen=True):
    logs: Sequence[Entry]
    pagination: Pagination


def page_json(page: Page) -> bytes:
    """Write a part of a list."""
    part = Pagination(total=page.total, limit=page.limit, offset=page.offset, has_more=page.has_more)
    return _encode(_Listing(page.entries, part))


def json_chunks(export: Export) -> Iterator[bytes]:
    """Write every entry as one list with a single page, in the form of `page_json`."""
    before = b'{"logs":['
    for chunk in export.chunks:
        yield before + b",".join(map(_encode, chunk))
        before = b","
    part = Pagination(total=export.total, limit=export.total, offset=export.offset, has_more=False)
    yield (b"" if before == b"," else before) + b'],"pagination":' + _encode(part) + b"}"


def csv_chunks(chunks: Iterable[Sequence[Entry]]) -> Iterator[bytes]:
    """Write entries as lines of CSV, the header first. Lines end with LF, as the contract prints them."""
    yield CSV_HEADER
    for chunk in chunks:
        yield "".join(map(_line, chunk)).encode()


def _line(entry: Entry) -> str:
    cells = (
        entry.id,
        entry.timestamp,
        entry.request_id,
        entry.model,
        entry.provider or "",
        entry.policy_name,
        "true" if entry.allowed else "false",
        entry.enforcement,
    )
    violations = "; ".join(short_reasons(entry.violation_reasons))
    return f"{','.join(map(_cell, cells))},{_quoted(_defused(violations)) if violations else ''}\n"


def _cell(text: str) -> str:
    text = _defused(text)
    return _quoted(text) if _QUOTED.search(text) else text


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _defused(text: str) -> str:
    """Keep a spreadsheet from running what somebody named a model as a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
