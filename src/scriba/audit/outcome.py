"""How the calls of entries ended: later records of the same log, found by the entries that they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import bindparam, text

from scriba.audit.entry import EntryOutcome
from scriba.domain.record import Outcome, Record
from scriba.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from scriba.audit.span import Span

__all__ = ["read_outcomes"]

_SELECT: Final = (
    "SELECT decision_seq, detail FROM records{hint} WHERE log_id = :log_id AND decision_seq IN :seqs AND seq < :size "
    "ORDER BY seq"
)
_HINTS: Final = {
    # By itself, SQLite would read the whole log in its order to find the outcomes of a page.
    "sqlite": " INDEXED BY ix_records_log_id_decision_seq",
    "postgresql": "",
}
_STATEMENTS: Final = {
    dialect: text(_SELECT.format(hint=hint)).bindparams(bindparam("seqs", expanding=True))
    for dialect, hint in _HINTS.items()
}
_decode: Final = msgspec.json.Decoder(Record).decode


def read_outcomes(connection: Connection, span: Span, seqs: Iterable[int]) -> dict[int, EntryOutcome]:
    """Return the outcomes of some entries of a log by their `seq`, as far as there are any; the last one counts.

    :raises IntegrityError: nobody can have written one of them
    """
    statement = _STATEMENTS[connection.dialect.name]
    rows = connection.execute(statement, {"log_id": span.log_id, "seqs": list(seqs), "size": span.size})
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
