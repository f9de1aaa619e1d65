"""The conditions that filters make of the entries of one log, and the values bound in them.

The text of a query depends only on its shape, that is, which filters it has and how many values each of them. Shapes
repeat, so whoever builds a query can keep its text by its shape; the values are bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from sqlglot import exp

from scriba.audit.dialect import bound, matches, pattern
from scriba.domain.filter import WILDCARD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scriba.audit.span import Span
    from scriba.domain.filter import Filters
    from scriba.storage.database import Dialect

__all__ = ["Groups", "Shape", "bounds_of", "entries_where", "groups_of", "named", "shape_of"]

Groups: TypeAlias = "dict[str, tuple[object, ...]]"
"""The values of filters, by the condition that they belong to."""

Shape: TypeAlias = tuple[tuple[str, int], ...]
"""The conditions, and how many values each of them has."""


def groups_of(filters: Filters, dialect: Dialect) -> Groups:
    """Return the values to bind, by the condition that they belong to."""
    groups: Groups = {
        "policy_id": filters.policy_ids,
        "provider": filters.providers,
        "model": tuple(model for model in filters.models if WILDCARD not in model),
        "model_pattern": tuple(pattern(model, dialect) for model in filters.models if WILDCARD in model),
        "enforcement": filters.enforcements,
        "allowed": () if filters.allowed is None else (filters.allowed,),
        "start": () if filters.start is None else (filters.start,),
        "end": () if filters.end is None else (filters.end,),
    }
    return {name: values for name, values in groups.items() if values}


def shape_of(groups: Groups) -> Shape:
    """Return which conditions there are."""
    return tuple((name, len(values)) for name, values in groups.items())


def named(groups: Groups) -> dict[str, object]:
    """Return the values under the names that `entries_where` binds."""
    return {f"{name}_{number}": value for name, values in groups.items() for number, value in enumerate(values)}


def bounds_of(spans: Sequence[Span]) -> dict[str, object]:
    """Return which logs are read and how far, under the names `log_N` and `size_N`."""
    logs = {f"log_{number}": span.log_id for number, span in enumerate(spans)}
    return {**logs, **{f"size_{number}": span.size for number, span in enumerate(spans)}}


def entries_where(columns: Sequence[exp.Expr], number: int, shape: Shape, dialect: Dialect) -> exp.Select:
    """Select from the entries of one log; `number` tells it from the others of the query."""
    filters = {name: [bound(f"{name}_{place}") for place in range(count)] for name, count in shape}
    return (
        exp.select(*columns)
        .from_("records")
        .where(exp.column("log_id").eq(bound(f"log_{number}")), exp.column("type").eq("decision"))
        .where(*_conditions(filters, dialect))
    )


def _conditions(values: Mapping[str, Sequence[exp.Expr]], dialect: Dialect) -> Iterator[exp.Expr]:
    """Yield what the filters ask; all of it must hold."""
    timestamp = exp.column("timestamp")
    if "policy_id" in values:
        yield exp.column("policy_id").isin(*values["policy_id"])
    if "provider" in values:
        # A refused request has no provider; it counts for the one it asked for.
        served = exp.func("COALESCE", exp.column("provider"), exp.column("requested_provider"))
        yield served.isin(*values["provider"])
    if models := list(_model_conditions(values, dialect)):
        yield exp.or_(*models)
    if "enforcement" in values:
        yield exp.column("enforcement").isin(*values["enforcement"])
    if "allowed" in values:
        yield exp.column("allowed").eq(values["allowed"][0])
    if "start" in values:
        yield exp.GTE(this=timestamp, expression=values["start"][0])
    if "end" in values:
        yield exp.LT(this=timestamp, expression=values["end"][0])


def _model_conditions(values: Mapping[str, Sequence[exp.Expr]], dialect: Dialect) -> Iterator[exp.Expr]:
    if "model" in values:
        yield exp.column("model").isin(*values["model"])
    for value in values.get("model_pattern", ()):
        yield matches(exp.column("model"), value, dialect)
