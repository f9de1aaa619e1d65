"""The queries over the entries of an organisation, as expressions.

This is the whole vocabulary: the filters, the two orders of lists, a position to go on from, and counting.
The text of a query depends only on its shape, that is, which filters it has and how many values each of them. Shapes
repeat, so each is built and rendered once; the values are bound.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias, TypeVar

from sqlglot import exp

from scriba.audit.conditions import bounds_of, entries_where, groups_of, named, not_purged, shape_of
from scriba.audit.dialect import bound, in_order, render
from scriba.audit.entry import ENTRY_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scriba.audit.conditions import Shape
    from scriba.audit.entry import Position
    from scriba.audit.span import Span
    from scriba.domain.filter import Filters
    from scriba.domain.window import Order, Window
    from scriba.storage.database import Dialect

__all__ = ["ORDER", "From", "Side", "Statement", "count_statement", "page_statement", "tail_statement"]

ORDER: Final = ("timestamp", "log", "seq")
"""What lists are ordered by. `log` is the number of the log in the query."""

Side: TypeAlias = Literal["older", "newer"]

_SHAPES: Final = 512
_COUNT: Final = exp.Count(this=exp.Star())
_QueryT = TypeVar("_QueryT", bound=exp.Query)
# How the entries of a log compare with a position: by time alone, or by `seq` too if it is in the same log.
_Comparison: TypeAlias = tuple[type[exp.Binary], bool]


class From(NamedTuple):
    """Where a list goes on: on one side of a position, among the records that the logs had when it began."""

    side: Side
    position: Position


class Statement(NamedTuple):
    """SQL in the form that the driver takes, and its values by name."""

    sql: str
    values: dict[str, object]


def count_statement(span: Span, filters: Filters, dialect: Dialect) -> Statement:
    """Count the entries of one log."""
    groups = groups_of(filters, dialect)
    sql = _count_sql(shape_of(groups), dialect, purged=span.first_seq > 0)
    return Statement(sql, {**bounds_of([span]), **named(groups)})


def page_statement(
    spans: Sequence[Span],
    filters: Filters,
    window: Window,
    dialect: Dialect,
    start: From | None = None,
    *,
    order: Order = "desc",
) -> Statement:
    """Read entries of several logs as `ENTRY_COLUMNS`, and then the number of their log among the spans."""
    groups = groups_of(filters, dialect)
    branches = tuple(start and _comparison(span.log, start) for span in spans)
    values = {**bounds_of(spans), **named(groups), **_window(window)}
    if start is not None:
        values |= {"position_time": start.position.timestamp, "position_seq": start.position.seq}
    return Statement(_page_sql(shape_of(groups), branches, dialect, order), values)


def tail_statement(
    spans: Sequence[Span], first: Sequence[int], filters: Filters, limit: int, dialect: Dialect
) -> Statement:
    """Read the entries from `first` of each log on in the order in which they were logged.

    The rows are those of `page_statement`, followed by the log time.
    """
    groups = groups_of(filters, dialect)
    begin = {f"begin_{number}": seq for number, seq in enumerate(first)}
    values = {**bounds_of(spans), **begin, **named(groups), "limit": limit}
    return Statement(_tail_sql(shape_of(groups), len(spans), dialect), values)


def _window(window: Window) -> dict[str, object]:
    return {"limit": window.limit, "offset": window.offset, "reach": window.limit + window.offset}


def _comparison(log: str, start: From) -> _Comparison:
    """Compare a log with a position that may be in another: at the same time, the order of logs decides."""
    if log == start.position.log:
        return (exp.LT if start.side == "older" else exp.GT), True
    if start.side == "older":
        return (exp.LTE if log < start.position.log else exp.LT), False
    return (exp.GTE if log > start.position.log else exp.GT), False


@lru_cache(maxsize=_SHAPES)
def _count_sql(shape: Shape, dialect: Dialect, *, purged: bool) -> str:
    if shape:
        return render(entries_where([_COUNT], 0, shape, dialect), dialect)
    # In these logs decisions alone have an id, and counting them by the index over ids is seven times as quick.
    has_id = exp.GT(this=exp.column("id"), expression=exp.Literal.string(""))
    conditions = [exp.column("log_id").eq(bound("log_0")), has_id, *([not_purged(0)] if purged else [])]
    return render(exp.select(_COUNT).from_("records").where(*conditions), dialect)


@lru_cache(maxsize=_SHAPES)
def _page_sql(shape: Shape, branches: Sequence[_Comparison | None], dialect: Dialect, order: Order) -> str:
    """Merge the logs. Each gives its first entries, by its index; a database would sort them all otherwise."""
    logs = [_branch(number, comparison, shape, dialect) for number, comparison in enumerate(branches)]
    if len(logs) == 1:
        return render(_ordered(logs[0], dialect, order).limit(bound("limit")).offset(bound("offset")), dialect)
    reach = [_ordered(log, dialect, order).limit(bound("reach")).subquery("reached") for log in logs]
    merged = exp.union(*(exp.select("*").from_(log) for log in reach), distinct=False)
    return render(_ordered(merged, dialect, order).limit(bound("limit")).offset(bound("offset")), dialect)


@lru_cache(maxsize=_SHAPES)
def _tail_sql(shape: Shape, count: int, dialect: Dialect) -> str:
    """Merge the logs by log time, which never falls within one of them."""
    logs = []
    for number in range(count):
        seq = exp.column("seq")
        log = (
            _branch(number, None, shape, dialect)
            .select("log_time")
            .where(
                exp.GTE(this=seq, expression=bound(f"begin_{number}")),
                exp.LT(this=seq, expression=bound(f"size_{number}")),
            )
        )
        logs.append(log.order_by(in_order(exp.column("seq"), dialect, descending=False)).limit(bound("limit")))
    reached = [exp.select("*").from_(log.subquery("reached")) for log in logs]
    query = exp.union(*reached, distinct=False) if count > 1 else reached[0]
    order = (in_order(exp.column(name), dialect, descending=False) for name in ("log_time", "log", "seq"))
    return render(query.order_by(*order).limit(bound("limit")), dialect)


def _ordered(query: _QueryT, dialect: Dialect, order: Order) -> _QueryT:
    return query.order_by(*(in_order(exp.column(name), dialect, descending=order == "desc") for name in ORDER))


def _branch(number: int, comparison: _Comparison | None, shape: Shape, dialect: Dialect) -> exp.Select:
    columns = [*map(exp.column, ENTRY_COLUMNS), exp.alias_(exp.Literal.number(number), "log")]
    entries = entries_where(columns, number, shape, dialect)
    if comparison is None:
        return entries
    bounds = exp.LT(this=exp.column("seq"), expression=bound(f"size_{number}"))
    return entries.where(_beside(*comparison), bounds)


def _beside(operator: type[exp.Binary], same_log: bool) -> exp.Expr:  # noqa: FBT001 - both make one comparison
    """Return the condition that keeps the entries of a log on one side of the position."""
    timestamp, time = exp.column("timestamp"), bound("position_time")
    if not same_log:
        return operator(this=timestamp, expression=time)
    place = exp.Tuple(expressions=[timestamp, exp.column("seq")])
    return operator(this=place, expression=exp.Tuple(expressions=[time, bound("position_seq")]))
