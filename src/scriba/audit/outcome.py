"""How the calls of entries ended: later records of the same log, found by the entries that they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import bindparam, select

from scriba.audit.entry import EntryOutcome
from scriba.domain.record import Outcome, Record
from scriba.errors import IntegrityError
from scriba.storage.tables import records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from scriba.audit.span import Span

__all__ = ["read_outcomes"]

_SELECT: Final = (
    select(records.c.decision_seq, records.c.detail)
    .where(
        records.c.log_id == bindparam("log_id"),
        records.c.decision_seq.in_(bindparam("seqs", expanding=True)),
        records.c.seq < bindparam("size"),
    )
    .order_by(records.c.seq)
)
_decode: Final = msgspec.json.Decoder(Record).decode


def read_outcomes(connection: Connection, span: Span, seqs: Iterable[int]) -> dict[int, EntryOutcome]:
    """Return the outcomes of some entries of a log by their `seq`, as far as there are any; the last one counts.

    :raises IntegrityError: nobody can have written one of them
    """
    rows = connection.execute(_SELECT, {"log_id": span.log_id, "seqs": list(seqs), "size": span.size})
    return {seq: _outcome(seq, detail, span) for seq, detail in rows}


def _outcome(seq: int, detail: str, span: Span) -> EntryOutcome:
    try:
        outcome = _decode(detail)
    except (ValueError, TypeError) as error:
        raise _unreadable(seq, span) from error
    if not isinstance(outcome, Outcome):
        raise _unreadable(seq, span)
    return EntryOutcome(
        status=outcome.status,
        duration_ms=outcome.duration_ms,
        ended=outcome.ended,
        input_tokens=outcome.input_tokens,
        output_tokens=outcome.output_tokens,
    )


def _unreadable(seq: int, span: Span) -> IntegrityError:
    return IntegrityError(
        f"The outcome of record {seq} of the log {span.origin} cannot be read: it was changed after it was logged."
    )
