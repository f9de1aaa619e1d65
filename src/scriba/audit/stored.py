"""The records of a log as its rows have them, for verification: nothing about a row is taken for granted."""

from __future__ import annotations

import types
from operator import eq, itemgetter
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, select, type_coerce
from sqlalchemy.types import NULLTYPE

from scriba.domain.record import Decision, Mark, Stored
from scriba.ledger.record import record_bytes
from scriba.ledger.verifier import Finding
from scriba.merkle.tree import leaf_hash
from scriba.storage.rows import COLUMNS, row_tail, stored_of
from scriba.storage.tables import records

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from sqlalchemy import Connection, Row

__all__ = ["stored_records"]

# The values as they are stored: SQLite lets anything into any column, and a conversion would hide it.
_AS_STORED: Final[list[ColumnElement[Any]]] = [type_coerce(records.c[name], NULLTYPE).label(name) for name in COLUMNS]
_ROWS: Final = select(*_AS_STORED).order_by(records.c.seq)
_KINDS: Final = tuple(
    (
        column.type.python_type,
        *((types.NoneType,) if column.nullable else ()),
        *((int,) if column.name == "allowed" else ()),
    )
    for column in (records.c[name] for name in COLUMNS)
)
# The salt is checked by what it opens; `detail` is the record itself, and `openings` what is kept of it.
_FILED: Final = tuple(name for name in COLUMNS if name not in {"salt", "openings", "detail"})
_filed: Final = itemgetter(*map(COLUMNS.index, _FILED))


def stored_records(
    connection: Connection, log_id: int, org_id: str, first: int, *, chunk: int
) -> Generator[tuple[Stored, list[Finding]]]:
    """Yield the records of a log from `first` on, each with what is wrong about its row. Who breaks off closes it.

    :param chunk: how many rows to hold at a time
    """
    this = (records.c.log_id == log_id) & (records.c.seq >= first)
    with connection.execute(_ROWS.where(this), execution_options={"yield_per": chunk}) as rows:
        for row in rows:
            stored = _stored(row, org_id)
            if stored is None:
                unreadable = _unreadable(row)
                yield unreadable, list(_looks_whole(unreadable))
            else:
                yield stored, list(_misfiled(row, stored))


def _stored(row: Row[Any], org_id: str) -> Stored | None:
    """Read a row; None if nobody can have written it here."""
    if not all(map(isinstance, row, _KINDS)):
        return None
    try:
        return stored_of(row, org_id)
    except (ValueError, TypeError):
        return None  # no JSON where it should be, or not the fields of its type


def _unreadable(row: Row[Any]) -> Stored:
    """Make a record that does not have its hash. The hash still counts, so that the rest of the log can be verified."""
    seq, log_time = (value if isinstance(value, int) else 0 for value in (row.seq, row.log_time))
    leaf = row.leaf_hash if isinstance(row.leaf_hash, bytes) else b""
    return Stored(seq=seq, log_time=log_time, leaf_hash=leaf, record=Mark())


def _looks_whole(unreadable: Stored) -> Iterator[Finding]:
    """Tell of a row that cannot be read and was a mark: the stand-in for it has the right hash."""
    if leaf_hash(record_bytes(unreadable)) == unreadable.leaf_hash:
        yield Finding(unreadable.seq, "record", f"Record {unreadable.seq} was changed: its row is none of a mark.")


def _misfiled(row: Row[Any], stored: Stored) -> Iterator[Finding]:
    """Find columns that are not as an append fills them, though they give the same record.

    Such a record would be whole, and yet be found under the wrong time or not at all.
    """
    record = stored.record
    claimed = record.timestamp if isinstance(record, Decision) else None
    timestamp = stored.log_time if claimed is None else claimed
    written = _filed((row[0], stored.seq, stored.log_time, timestamp, stored.leaf_hash, *row_tail(record, stored.salt)))
    found = _filed(row)
    if found == written:
        return
    for name, is_same in zip(_FILED, map(eq, found, written), strict=True):
        if not is_same:
            message = f"Record {stored.seq} was changed: it is filed under another {name} than it has."
            yield Finding(stored.seq, name, message)
