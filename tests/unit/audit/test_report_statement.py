"""How the databases find what a report counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scriba.audit.report.statement import is_retried_statement, tally_statement
from scriba.audit.span import Span
from scriba.domain.filter import Filters

if TYPE_CHECKING:
    from tests.stores import OpenStore


def test_retries_are_found_by_their_index(sqlite_store: OpenStore) -> None:
    """Promise: the attempts of a request never cost a walk along the log, however long it is."""
    span, filters = Span(1, "requests", "a", 9), Filters(start=0, end=9)
    statements = [
        is_retried_statement(span, "sqlite"),
        tally_statement(span, filters, "sqlite", "all", last_only=True, most=1),
    ]
    with sqlite_store.store.database.read() as connection:
        for statement in statements:
            steps = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement.sql, statement.values)
            assert "INDEX ix_records_retries" in "\n".join(step[-1] for step in steps)
