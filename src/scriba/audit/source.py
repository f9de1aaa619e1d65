"""A source of entries, read piece by piece: lines of JSON, one JSON document, or CSV.

It is cut into batches of a fixed number of entries, each with the hash of its own bytes. The same file always gives the
same batches, and one that has grown gives the old ones again, but for the last.
"""

from __future__ import annotations

import csv
import hashlib
import re
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from scriba.audit.foreign import Form, check_header, read_cells, read_document
from scriba.domain.strict_json import load_json
from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from scriba.audit.told import ToldEntry

__all__ = ["BOM", "Batch", "Piece", "batch_of", "csv_pieces", "json_pieces", "line_pieces", "pieces_of", "read_batches"]

BOM: Final = b"\xef\xbb\xbf"
"""What some programs write before the first character of a text in UTF-8. It is no part of the source."""

_WHOLE_DOCUMENT: Final = re.compile(rb'\s*(\[|\{\s*$|\{\s*"logs")')
_LONGEST_CELL: Final = 1 << 20

csv.field_size_limit(_LONGEST_CELL)


class Piece(NamedTuple):
    """One entry as it stands in its source.

    :param number: of its line in the source, or its own number in a JSON document; both from 1
    :param head: what its bytes cannot be understood without: the header of CSV
    """

    number: int
    raw: bytes
    read: Callable[[], ToldEntry]
    head: bytes = b""


class Batch(NamedTuple):
    """Entries that are imported together.

    :param sha256: of the bytes they stand in, in hex; in CSV the header comes first
    :param size: bytes of the source
    """

    pieces: Sequence[Piece]
    sha256: str
    size: int

    def entries(self) -> list[ToldEntry | InvalidInput]:
        """Read each entry, or say why it cannot be read."""
        return [_read(piece) for piece in self.pieces]


def read_batches(pieces: Iterable[Piece], size: int) -> Iterator[Batch]:
    """Cut a source into batches of so many entries."""
    waiting = iter(pieces)
    while batch := list(islice(waiting, size)):
        yield batch_of(batch)


def batch_of(pieces: Sequence[Piece]) -> Batch:
    """Put entries together into one batch."""
    digest = hashlib.sha256(pieces[0].head if pieces else b"")
    size = 0
    for piece in pieces:
        digest.update(piece.raw)
        digest.update(b"\n")
        size += len(piece.raw) + 1
    return Batch(pieces, digest.hexdigest(), size)


def pieces_of(lines: Iterable[bytes], form: Form) -> Iterator[Piece]:
    """Take a source apart, whichever of the three it is: its first line tells.

    :raises InvalidInput: it is one JSON document and not a valid one, or CSV with a column that is not known
    """
    waiting = iter(lines)
    first = next(waiting, b"").removeprefix(BOM)
    if _WHOLE_DOCUMENT.match(first):
        yield from json_pieces(b"".join(chain([first], waiting)), form)
    elif not first.strip() or first.lstrip().startswith(b"{"):
        yield from line_pieces(chain([first], waiting), form)
    else:
        yield from csv_pieces(chain([first], waiting), form)


def line_pieces(lines: Iterable[bytes], form: Form) -> Iterator[Piece]:
    """Take lines of JSON apart; empty lines are passed over."""
    for number, line in enumerate(lines, 1):
        if raw := line.strip():
            yield Piece(number, raw, partial(_read_json, raw, form))


class _Export(msgspec.Struct):
    """The JSON that lists and exports are."""

    logs: list[msgspec.Raw]


def json_pieces(raw: bytes, form: Form) -> Iterator[Piece]:
    """Take a JSON document apart: a list of entries, the object that an export is, or a single entry.

    :raises InvalidInput: it is none of them
    """
    start = raw.lstrip()[:1]
    try:
        if start == b"[":
            entries = msgspec.json.decode(raw, type=list[msgspec.Raw])
        elif "logs" in msgspec.json.decode(raw, type=dict[str, msgspec.Raw]):
            entries = msgspec.json.decode(raw, type=_Export).logs
        else:
            entries = [msgspec.Raw(raw)]
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidInput(f"This is not a list of entries in JSON: {error}.", param="body") from None
    for number, entry in enumerate(entries, 1):
        piece = bytes(entry)
        yield Piece(number, piece, partial(_read_json, piece, form))


def csv_pieces(lines: Iterable[bytes], form: Form) -> Iterator[Piece]:
    """Take CSV (RFC 4180) apart; its first line names the columns.

    :raises InvalidInput: it names one that is not known, or is no CSV
    """
    taken: list[bytes] = []
    number = 0

    def texts() -> Iterator[str]:
        nonlocal number
        for line in lines:
            number += 1
            taken.append(line)
            # What is not UTF-8 becomes characters that no log can hold: its row is refused, and no other.
            yield line.decode(errors="surrogateescape")

    rows = csv.reader(texts(), strict=True)
    header: list[str] = []
    head = b""
    while True:
        start = number + 1
        taken.clear()
        try:
            cells = next(rows, None)
        except csv.Error as error:
            raise InvalidInput(f"Line {number} is not CSV: {error}.", param=f"line {number}") from None
        if cells is None:
            return
        if not header:
            header = cells
            check_header(header)
            head = b"".join(taken)
        elif cells:
            raw = b"".join(taken).rstrip(b"\r\n")
            yield Piece(start, raw, partial(read_cells, header, cells, form), head)


def _read_json(raw: bytes, form: Form) -> ToldEntry:
    return read_document(load_json(raw, "The entry", None), form)


def _read(piece: Piece) -> ToldEntry | InvalidInput:
    try:
        return piece.read()
    except InvalidInput as error:
        return error
