"""Queries: what their text depends on."""

from __future__ import annotations

import pytest

from scriba.audit.entry import Position
from scriba.audit.span import Span
from scriba.audit.statement import From, Side, count_statement, page_statement
from scriba.domain.address import parse_network
from scriba.domain.filter import Filters
from scriba.domain.window import Window

REQUESTS = Span(2, "requests", "d/tlog/o/requests/1", 10)
IMPORTS = Span(1, "imports", "d/tlog/o/imports/1", 10)
HOSTILE = "'; DROP TABLE records; --"


def test_values_are_never_part_of_the_text() -> None:
    """Whatever somebody filters by is bound, so it cannot become SQL."""
    filters = Filters(
        policy_ids=(HOSTILE,), providers=(HOSTILE,), models=(HOSTILE, HOSTILE + "*"), enforcements=(HOSTILE,)
    )
    for statement in (
        count_statement(REQUESTS, filters, "postgresql"),
        page_statement([REQUESTS], filters, Window(), "sqlite"),
    ):
        assert "DROP" not in statement.sql
        assert list(statement.values.values()).count(HOSTILE) == 4


def test_one_shape_one_text() -> None:
    """Two queries with as many values each are rendered once."""
    first = page_statement([REQUESTS], Filters(providers=("a", "b"), allowed=True), Window(), "sqlite")
    second = page_statement([REQUESTS], Filters(providers=("c", "d"), allowed=True), Window(5, 7), "sqlite")
    assert first.sql is second.sql
    assert first.values != second.values
    other = page_statement([REQUESTS], Filters(providers=("a",), allowed=True), Window(), "sqlite")
    assert other.sql != first.sql


def test_every_value_has_its_place() -> None:
    """All filters at once bind every value that the text asks for."""
    filters = Filters(
        policy_ids=("p", "q"),
        providers=("a",),
        models=("m", "n*"),
        allowed=True,
        enforcements=("warn",),
        policy_slots=(3,),
        api_key_ids=("k",),
        request_ids=("r",),
        networks=parse_network("::/0", "ipAddress"),
        violations=("Minimum trust tier", "x"),
        users=("u",),
        tags=("t",),
        sources=("gateway", "import"),
        start=1,
        end=2,
    )
    start = From("older", Position(3, "requests", 4))
    statement = page_statement([IMPORTS, REQUESTS], filters, Window(5, 6), "sqlite", start)
    unbound = [name for name in statement.values if f":{name}" not in statement.sql]
    assert unbound == []
    assert statement.values["reach"] == 11


BY_TIME = '"timestamp" {} :position_time'
BY_PLACE = '("timestamp", "seq") {} (:position_time, :position_seq)'


@pytest.mark.parametrize(
    ("side", "log", "imports", "requests"),
    [
        ("older", "requests", BY_TIME.format("<="), BY_PLACE.format("<")),
        ("older", "imports", BY_PLACE.format("<"), BY_TIME.format("<")),
        ("newer", "requests", BY_TIME.format(">"), BY_PLACE.format(">")),
        ("newer", "imports", BY_PLACE.format(">"), BY_TIME.format(">=")),
    ],
)
def test_a_position_is_compared_in_the_order_of_lists(side: Side, log: str, imports: str, requests: str) -> None:
    """Each log is compared with a position that may be in another log: time first, then log, then place."""
    start = From(side, Position(3, log, 4))
    sql = page_statement([IMPORTS, REQUESTS], Filters(), Window(), "sqlite", start).sql
    branches = sql.split("UNION ALL")
    assert imports in branches[0]
    assert requests in branches[1]
