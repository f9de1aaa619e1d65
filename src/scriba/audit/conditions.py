"""The conditions that filters make of the entries of one log, and the values bound in them.

The text of a query depends only on its shape, that is, which filters it has and how many values each of them. Shapes
repeat, so whoever builds a query can keep its text by its shape; the values are bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from sqlglot import exp

from scriba.audit.dialect import any_member, bound, contains, matches, pattern
from scriba.domain.filter import WILDCARD
from scriba.policy.reasons import long_forms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from scriba.audit.span import Span
    from scriba.domain.filter import Filters
    from scriba.storage.database import Dialect

__all__ = ["Groups", "Shape", "bounds_of", "entries_where", "groups_of", "named", "not_purged", "shape_of"]

Groups: TypeAlias = "dict[str, tuple[object, ...]]"
"""The values of filters, by the condition that they belong to."""

Shape: TypeAlias = tuple[tuple[str, int], ...]
"""The conditions, and how many values each of them has."""


_LET_THROUGH: Final = "let_through"
_REFUSED: Final = "refused"
_COLUMNS: Final = ("policy_id", "policy_slot", "enforcement", "api_key_id", "request_id", "user_name", "source")


def groups_of(filters: Filters, dialect: Dialect) -> Groups:
    """Return the values to bind, by the condition that they belong to."""
    forms = dict.fromkeys(form for part in filters.violations for form in long_forms(part))
    groups: Groups = {
        "policy_id": filters.policy_ids,
        "policy_slot": filters.policy_slots,
        "provider": filters.providers,
        "model": tuple(model for model in filters.models if WILDCARD not in model),
        "model_pattern": tuple(pattern(model, dialect) for model in filters.models if WILDCARD in model),
        "enforcement": filters.enforcements,
        "api_key_id": filters.api_key_ids,
        "request_id": filters.request_ids,
        "first_address": tuple(network.first for network in filters.networks),
        "last_address": tuple(network.last for network in filters.networks),
        "violation": filters.violations,
        "violation_form": tuple(pattern(form, dialect) for form in forms),
        "user_name": filters.users,
        "tag": filters.tags,
        "source": filters.sources,
        "start": () if filters.start is None else (filters.start,),
        "end": () if filters.end is None else (filters.end,),
    }
    # Not a value: a database uses an index over the refused alone if the text of the query says so.
    flag: Groups = {} if filters.allowed is None else {_LET_THROUGH if filters.allowed else _REFUSED: ()}
    return {**flag, **{name: values for name, values in groups.items() if values}}


def shape_of(groups: Groups) -> Shape:
    """Return which conditions there are."""
    return tuple((name, len(values)) for name, values in groups.items())


def named(groups: Groups) -> dict[str, object]:
    """Return the values under the names that `entries_where` binds."""
    return {f"{name}_{number}": value for name, values in groups.items() for number, value in enumerate(values)}


def bounds_of(spans: Sequence[Span]) -> dict[str, object]:
    """Return which logs are read, from where and how far, under the names `log_N`, `first_N` and `size_N`."""
    bounds = [(span.log_id, span.first_seq, span.size) for span in spans]
    return {
        f"{name}_{number}": value
        for number, values in enumerate(bounds)
        for name, value in zip(("log", "first", "size"), values, strict=True)
    }


def entries_where(columns: Sequence[exp.Expr], number: int, shape: Shape, dialect: Dialect) -> exp.Select:
    """Select from the entries of one log; `number` tells it from the others of the query."""
    filters = {name: [bound(f"{name}_{place}") for place in range(count)] for name, count in shape}
    log: exp.Expr = exp.column("log_id")
    if "request_id" in filters:
        # Few entries are of one request. Without the sum, SQLite would read the whole log in its order to find them.
        log = exp.Add(this=log, expression=exp.Literal.number(0))
    return (
        exp.select(*columns)
        .from_("records")
        .where(log.eq(bound(f"log_{number}")), exp.column("type").eq("decision"))
        .where(not_purged(number))
        .where(*_conditions(filters, dialect))
    )


def not_purged(number: int) -> exp.Expr:
    """Return the condition that leaves out what was purged.

    The sum keeps a database from reading the whole log in the order of `seq` for it.
    """
    seq = exp.Add(this=exp.column("seq"), expression=exp.Literal.number(0))
    return exp.GTE(this=seq, expression=bound(f"first_{number}"))


def _conditions(values: Mapping[str, Sequence[exp.Expr]], dialect: Dialect) -> Iterator[exp.Expr]:
    """Yield what the filters ask, the cheap first; all of it must hold."""
    if _LET_THROUGH in values:
        yield exp.column("allowed")
    if _REFUSED in values:
        yield exp.not_(exp.column("allowed"))
    yield from (exp.column(name).isin(*values[name]) for name in _COLUMNS if name in values)
    yield from _span_conditions(values)
    if "provider" in values:
        # A refused request has no provider; it counts for the one it asked for.
        served = exp.func("COALESCE", exp.column("provider"), exp.column("requested_provider"))
        yield served.isin(*values["provider"])
    if models := list(_model_conditions(values, dialect)):
        yield exp.or_(*models)
    if "first_address" in values:
        yield exp.or_(*map(_between, values["first_address"], values["last_address"]))
    yield from _list_conditions(values, dialect)


def _span_conditions(values: Mapping[str, Sequence[exp.Expr]]) -> Iterator[exp.Expr]:
    if "start" in values:
        yield exp.GTE(this=exp.column("timestamp"), expression=values["start"][0])
    if "end" in values:
        yield exp.LT(this=exp.column("timestamp"), expression=values["end"][0])


def _list_conditions(values: Mapping[str, Sequence[exp.Expr]], dialect: Dialect) -> Iterator[exp.Expr]:
    """Yield the conditions on members of JSON lists."""
    if "violation" in values:
        # Most entries have no reason, and to open an empty list costs more than to compare its text.
        yield exp.column("violation_reasons").neq("[]")
        yield any_member(exp.column("violation_reasons"), _violates(values, dialect), dialect)
    if "tag" in values:
        yield any_member(exp.column("tags"), lambda member: member.isin(*values["tag"]), dialect)


def _between(first: exp.Expr, last: exp.Expr) -> exp.Expr:
    return exp.Between(this=exp.column("ip_bytes"), low=first, high=last)


def _violates(values: Mapping[str, Sequence[exp.Expr]], dialect: Dialect) -> Callable[[exp.Expr], exp.Expr]:
    """Return the condition on one reason: one of the parts stands in its text, or in the short text for it."""

    def holds(reason: exp.Expr) -> exp.Expr:
        parts = [contains(reason, part, dialect) for part in values["violation"]]
        return exp.or_(*parts, *(matches(reason, form, dialect) for form in values.get("violation_form", ())))

    return holds


def _model_conditions(values: Mapping[str, Sequence[exp.Expr]], dialect: Dialect) -> Iterator[exp.Expr]:
    if "model" in values:
        yield exp.column("model").isin(*values["model"])
    for value in values.get("model_pattern", ()):
        yield matches(exp.column("model"), value, dialect)
