"""What the databases read differently, settled here and nowhere else.

Queries are SQLGlot expressions with values bound by name, rendered in the form that the driver of each database
takes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from scriba.domain.filter import WILDCARD

if TYPE_CHECKING:
    from collections.abc import Callable

    from scriba.storage.database import Dialect

__all__ = ["any_member", "bound", "contains", "in_order", "matches", "pattern", "render"]

_NAMES: Final = {"sqlite": "sqlite", "postgresql": "postgres"}
_LIKE_SPECIAL: Final = re.compile(r"[%_\\]")
_GLOB_SPECIAL: Final = re.compile(r"[?\[]")


def render(expression: exp.Expr, dialect: Dialect) -> str:
    """Return the SQL of an expression. It takes its values by name, in a dictionary."""
    return expression.sql(_NAMES[dialect], identify=True)


def bound(name: str) -> exp.Expr:
    """Return the place of a value that is bound under this name."""
    return exp.Placeholder(this=name)


def in_order(column: exp.Expr, dialect: Dialect, *, descending: bool) -> exp.Expr:
    """Order by a column that has no NULL.

    Where NULL would stand is left to the database: to say it otherwise keeps PostgreSQL from using its index.
    """
    return exp.Ordered(this=column, desc=descending, nulls_first=descending == (dialect == "postgresql"))


def any_member(column: exp.Expr, condition: Callable[[exp.Expr], exp.Expr], dialect: Dialect) -> exp.Expr:
    """Whether any member of a column's JSON list of texts fulfils a condition; NULL has no members."""
    member = exp.column("value", table="member")
    if dialect == "sqlite":
        members = exp.Anonymous(this="json_each", expressions=[column])
        source: exp.Expr = exp.alias_(exp.Table(this=members), "member", table=True)
    else:
        document = exp.Cast(this=column, to=exp.DataType.build("jsonb"))
        members = exp.Anonymous(this="jsonb_array_elements_text", expressions=[document])
        source = exp.alias_(exp.Table(this=members), "member", table=["value"])
    return exp.Exists(this=exp.select(exp.Literal.number(1)).from_(source).where(condition(member)))


def contains(text: exp.Expr, part: exp.Expr, dialect: Dialect) -> exp.Expr:
    """Whether a text has a part in it, letter by letter."""
    find = "instr" if dialect == "sqlite" else "strpos"
    return exp.GT(this=exp.Anonymous(this=find, expressions=[text, part]), expression=exp.Literal.number(0))


def matches(column: exp.Expr, value: exp.Expr, dialect: Dialect) -> exp.Expr:
    """Compare a column with a value of `pattern`, letter by letter; LIKE of SQLite would ignore case."""
    if dialect == "sqlite":
        return exp.Glob(this=column, expression=value)
    return exp.Escape(this=exp.Like(this=column, expression=value), expression=exp.Literal.string("\\"))


def pattern(text: str, dialect: Dialect) -> str:
    """Return a filter with wildcards as the pattern that `matches` takes; all else in it stands for itself."""
    if dialect == "sqlite":
        return _GLOB_SPECIAL.sub(r"[\g<0>]", text)
    return _LIKE_SPECIAL.sub(r"\\\g<0>", text).replace(WILDCARD, "%")
