"""Finding the outcomes of a page of entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from scriba.audit.outcome import read_outcomes
from scriba.audit.span import Span

if TYPE_CHECKING:
    from tests.stores import OpenStore


def test_outcomes_are_found_by_their_index(sqlite_store: OpenStore) -> None:
    """Promise: the outcomes of a page never cost a walk along the log, however long it is."""
    asked: list[tuple[str, Any]] = []
    with sqlite_store.store.database.read() as connection:
        event.listen(connection, "before_cursor_execute", lambda *said: asked.append((said[2], said[3])))
        read_outcomes(connection, Span(1, "requests", "a", 2_000), range(1_000))
        ((sql, values),) = tuple(asked)
        steps = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + sql, values)
        plan = "\n".join(step[-1] for step in steps)
    assert "INDEX ix_records_log_id_decision_seq (log_id=? AND decision_seq=?" in plan
