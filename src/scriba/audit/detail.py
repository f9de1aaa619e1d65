"""One entry with the outcome of its call and what the log can prove about it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import bindparam, select

from scriba.audit.entry import ENTRY_COLUMNS, Detail, EntryOutcome, Proof, entry_of
from scriba.audit.outcome import read_outcomes
from scriba.audit.span import read_spans
from scriba.domain.filter import check_text
from scriba.domain.timestamp import format_timestamp
from scriba.errors import InvalidInput, NotFound
from scriba.ledger.canonical import InvalidRecord
from scriba.ledger.record import record_bytes
from scriba.merkle.tree import leaf_hash
from scriba.storage.rows import COLUMNS, stored_of
from scriba.storage.tables import records

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from scriba.audit.span import Span
    from scriba.domain.record import Stored

__all__ = ["read_detail"]

_FIELDS: Final = tuple(COLUMNS.index(name) for name in ENTRY_COLUMNS)
_SELECT_ENTRY: Final = select(*(records.c[name] for name in COLUMNS)).where(
    records.c.log_id == bindparam("log_id"),
    records.c.id == bindparam("id"),
    records.c.type == "decision",
    records.c.seq >= bindparam("first_seq"),
)


def read_detail(connection: Connection, org_id: str, entry_id: str) -> Detail:
    """Return the entry with this id.

    :raises NotFound: the organisation has none
    """
    missing = NotFound(f"There is no entry {entry_id!r}.", param="id")
    try:
        check_text(entry_id, "id")
    except InvalidInput:
        raise missing from None
    for span in read_spans(connection, org_id):
        row = connection.execute(
            _SELECT_ENTRY, {"log_id": span.log_id, "id": entry_id, "first_seq": span.first_seq}
        ).first()
        if row is not None:
            return _detail(row, read_outcomes(connection, span, [row.seq]).get(row.seq), span, org_id)
    raise missing


def _detail(row: Row[Any], outcome: EntryOutcome | None, span: Span, org_id: str) -> Detail:
    entry = entry_of([row[place] for place in _FIELDS], org_id=org_id, log=span.log)
    stored = stored_of(row, org_id)
    return Detail(
        entry=msgspec.structs.replace(entry, outcome=outcome),
        proof=Proof(
            status="appended",
            intact=_is_intact(stored),
            origin=span.origin,
            seq=stored.seq,
            leaf_hash=base64.b64encode(stored.leaf_hash).decode(),
            timestamp=format_timestamp(stored.log_time),
            tree_size=span.size,
            first_seq=span.first_seq,
        ),
    )


def _is_intact(stored: Stored) -> bool:
    try:
        return leaf_hash(record_bytes(stored)) == stored.leaf_hash
    except InvalidRecord:
        return False
