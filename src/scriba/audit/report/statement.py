"""The queries of a report over the entries of one log, as expressions.

A report counts requests. A request of the gateway can have several entries, one for each attempt, and the last one
decides: an entry that a later attempt follows is left out, wherever one exists. Each query is bounded by the size that
the log had, so it gives the same rows whatever is appended later.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from sqlglot import exp

from scriba.audit.conditions import bounds_of, entries_where, groups_of, named, shape_of
from scriba.audit.dialect import bound, in_order, render
from scriba.audit.report.question import GroupBy
from scriba.audit.statement import Statement
from scriba.domain.buckets import HOUR
from scriba.domain.period import DAY

if TYPE_CHECKING:
    from scriba.audit.conditions import Shape
    from scriba.audit.span import Span
    from scriba.domain.filter import Filters
    from scriba.storage.database import Dialect

__all__ = [
    "BLOCKED_COLUMNS",
    "Key",
    "blocked_statement",
    "has_policy_statement",
    "is_retried_statement",
    "served_statement",
    "tally_statement",
]

Key: TypeAlias = Literal["all", "hour", "day"] | GroupBy
"""What a tally is by: nothing at all, the number of the hour or day since 1970, or a grouping."""

BLOCKED_COLUMNS: Final = ("timestamp", "seq", "request_id", "model", "violation_reasons", "ip_address")

_SHAPES: Final = 512
_ONE, _ZERO = exp.Literal.number(1), exp.Literal.number(0)
_HAS_REASONS: Final = exp.column("violation_reasons").neq("[]")
# A refused request was served by nobody; it counts for the provider that it asked for.
_PROVIDER: Final = exp.func("COALESCE", exp.column("requested_provider"), exp.column("provider"))
_KEYS: Final[dict[Key, exp.Expr]] = {
    "all": _ZERO,
    "hour": exp.Div(this=exp.column("timestamp"), expression=exp.Literal.number(HOUR), typed=True),
    "day": exp.Div(this=exp.column("timestamp"), expression=exp.Literal.number(DAY), typed=True),
    GroupBy.PROVIDER: _PROVIDER,
    GroupBy.MODEL: exp.column("model"),
    GroupBy.POLICY: exp.column("policy_id"),
    GroupBy.API_KEY: exp.column("api_key_id"),
    GroupBy.ENFORCEMENT: exp.column("enforcement"),
    GroupBy.USER: exp.column("user_name"),
    GroupBy.TAG: exp.column("tags"),
}


def tally_statement(
    span: Span, filters: Filters, dialect: Dialect, key: Key, *, last_only: bool, most: int
) -> Statement:
    """Count by a key: it, then how many, allowed, warned, rerouted, and let through in spite of a hard block.

    The last column is a name that entries give the key, if it is a policy's.

    :param last_only: whether to leave out all but the last attempt of each request
    :param most: rows to return at most
    """
    groups = groups_of(filters, dialect)
    values = {**bounds_of([span]), **named(groups), "most": most}
    return Statement(_tally_sql(shape_of(groups), dialect, key, last_only), values)


def blocked_statement(span: Span, filters: Filters, dialect: Dialect, *, last_only: bool, most: int) -> Statement:
    """Read the newest refused entries as `BLOCKED_COLUMNS`, newest first."""
    groups = groups_of(filters, dialect)
    values = {**bounds_of([span]), **named(groups), "most": most}
    return Statement(_blocked_sql(shape_of(groups), dialect, last_only), values)


def served_statement(span: Span, filters: Filters, dialect: Dialect) -> Statement:
    """Read which providers served requests under which version of a policy: its hash, its name, the provider."""
    groups = groups_of(filters, dialect)
    return Statement(_served_sql(shape_of(groups), dialect), {**bounds_of([span]), **named(groups)})


@lru_cache(maxsize=2)
def _is_retried_sql(dialect: Dialect) -> str:
    query = _retries([_ONE], dialect)
    return render(query.limit(1), dialect)


def is_retried_statement(span: Span, dialect: Dialect) -> Statement:
    """Ask whether any request of a log was tried more than once; no row if not. Read from a small index."""
    return Statement(_is_retried_sql(dialect), bounds_of([span]))


@lru_cache(maxsize=2)
def _has_policy_sql(dialect: Dialect) -> str:
    query = exp.select(exp.column("policy_name")).from_("records")
    query = query.where(exp.column("log_id").eq(bound("log_0")), exp.column("type").eq("decision"))
    return render(query.where(exp.column("policy_id").eq(bound("policy_id")), _in_bounds()).limit(1), dialect)


def has_policy_statement(span: Span, policy_id: str, dialect: Dialect) -> Statement:
    """Ask for the name that some entry gives a policy; no row if none names it."""
    return Statement(_has_policy_sql(dialect), {**bounds_of([span]), "policy_id": policy_id})


@lru_cache(maxsize=_SHAPES)
def _tally_sql(shape: Shape, dialect: Dialect, key: Key, last_only: bool) -> str:  # noqa: FBT001 - part of the cache's key
    allowed, enforcement = exp.column("allowed"), exp.column("enforcement")
    against = exp.and_(allowed, _HAS_REASONS)
    name = exp.Max(this=exp.column("policy_name")) if key is GroupBy.POLICY else exp.Null()
    query = _entries(
        [
            _KEYS[key],
            exp.Count(this=exp.Star()),
            _how_many(allowed),
            *(_how_many(exp.and_(against, enforcement.eq(value))) for value in ("warn", "soft_block", "hard_block")),
            name,
        ],
        shape,
        dialect,
        last_only=last_only,
    )
    if key == "all":
        return render(query, dialect)
    return render(query.group_by(exp.Literal.number(1)).limit(bound("most")), dialect)


@lru_cache(maxsize=_SHAPES)
def _blocked_sql(shape: Shape, dialect: Dialect, last_only: bool) -> str:  # noqa: FBT001 - part of the cache's key
    query = _entries([*map(exp.column, BLOCKED_COLUMNS)], shape, dialect, last_only=last_only)
    query = query.where(exp.not_(exp.column("allowed")))
    order = (in_order(exp.column(name), dialect, descending=True) for name in ("timestamp", "seq"))
    return render(query.order_by(*order).limit(bound("most")), dialect)


@lru_cache(maxsize=_SHAPES)
def _served_sql(shape: Shape, dialect: Dialect) -> str:
    columns = [exp.column(name) for name in ("policy_sha256", "provider")]
    query = _entries([*columns, exp.Max(this=exp.column("policy_name"))], shape, dialect, last_only=False)
    served = (exp.not_(exp.Is(this=column.copy(), expression=exp.Null())) for column in columns)
    return render(query.where(exp.column("allowed"), *served).group_by(*columns), dialect)


def _entries(columns: list[exp.Expr], shape: Shape, dialect: Dialect, *, last_only: bool) -> exp.Select:
    query = entries_where(columns, 0, shape, dialect).where(_in_bounds())
    return query.where(_is_last(dialect)) if last_only else query


def _in_bounds() -> exp.Expr:
    return exp.LT(this=exp.column("seq"), expression=bound("size_0"))


def _is_retry() -> exp.Expr:
    """Return the condition of the index over attempts after the first, word for word."""
    return exp.GT(this=exp.column("attempt"), expression=_ONE)


def _is_last(dialect: Dialect) -> exp.Expr:
    """Keep what is no attempt of the gateway, and of its attempts those that no later one follows.

    The last attempt of a request that was tried again is the last of those after its first.
    """
    retried = _retries([exp.column("request_id")], dialect)
    last = _retries([exp.Max(this=exp.column("seq"))], dialect).group_by(exp.column("request_id"))
    return exp.or_(
        exp.column("source").neq("gateway"),
        exp.not_(exp.In(this=exp.column("request_id"), query=retried.subquery())),
        exp.In(this=exp.column("seq"), query=last.subquery()),
    )


def _retries(columns: list[exp.Expr], dialect: Dialect) -> exp.Select:
    """Select from the gateway's attempts after the first. There are few, and SQLite has to be told of their index."""
    table = exp.to_table("records")
    if dialect == "sqlite":
        table.set("indexed", exp.to_identifier("ix_records_retries"))
    from_gateway = exp.column("source").eq("gateway")
    log = exp.column("log_id").eq(bound("log_0"))
    return exp.select(*columns).from_(table).where(log, _is_retry(), from_gateway, _in_bounds())


def _how_many(condition: exp.Expr) -> exp.Expr:
    return exp.Sum(this=exp.Case().when(condition, _ONE).else_(_ZERO))
