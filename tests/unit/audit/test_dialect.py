"""Wildcards, in the words of each database."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import example, given
from sqlglot import exp
from tests.wildcards import HOSTILE, matches_wildcards

from scriba.audit.dialect import bound, in_order, matches, pattern, render


@given(HOSTILE, HOSTILE)
@example("GPT-4", "gpt-*")
@example("[a]", "[a]*")
@example("a?c", "a?c*")
def test_sqlite_matches_as_told(text: str, wanted: str) -> None:
    """`*` stands for any run of characters and everything else for itself, whatever SQLite makes of it."""
    expression = matches(bound("text"), bound("pattern"), "sqlite")
    connection = sqlite3.connect(":memory:")
    values = {"text": text, "pattern": pattern(wanted, "sqlite")}
    (found,) = connection.execute(f"SELECT {render(expression, 'sqlite')}", values).fetchone()
    connection.close()
    assert bool(found) == matches_wildcards(text, wanted)


@pytest.mark.parametrize(
    ("wanted", "sqlite", "postgresql"),
    [
        ("gpt-4*", "gpt-4*", "gpt-4%"),
        ("100%_*", "100%_*", r"100\%\_%"),
        (r"a\*", r"a\*", r"a\\%"),
        ("[x]?*", "[[]x][?]*", "[x]?%"),
    ],
)
def test_patterns(wanted: str, sqlite: str, postgresql: str) -> None:
    """What a database would read as a wildcard of its own is escaped."""
    assert pattern(wanted, "sqlite") == sqlite
    assert pattern(wanted, "postgresql") == postgresql


def test_order_leaves_nulls_alone() -> None:
    """An order says nothing of NULL, so that an index gives it."""
    for dialect in ("sqlite", "postgresql"):
        assert render(in_order(exp.column("seq"), dialect, descending=True), dialect) == '"seq" DESC'
        assert render(in_order(exp.column("seq"), dialect, descending=False), dialect).removesuffix(" ASC") == '"seq"'


def test_values_are_bound_by_name() -> None:
    """Each driver finds its own form of a bound name."""
    assert render(bound("limit"), "sqlite") == ":limit"
    assert render(bound("limit"), "postgresql") == "%(limit)s"
