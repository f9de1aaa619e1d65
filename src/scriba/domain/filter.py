"""Which entries somebody wants to see.

A filter comes as text, from a query string or a command line, under the names of the HTTP API. It may be
given several times or hold several values joined by commas: both mean "any of". Different filters must all hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from scriba.domain.nearest import did_you_mean
from scriba.domain.period import is_date, parse_end, parse_start
from scriba.domain.record import Enforcement
from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["FILTER_NAMES", "MAX_VALUES", "WILDCARD", "Filters", "check_text", "parse_filters"]

WILDCARD: Final = "*"
"""In a model filter: any run of characters, also none. There is no escape; no known model has a `*` in its name."""

MAX_VALUES: Final = 100
"""Values that one filter can name."""

_MAX_BYTES: Final = 512  # twice what any filtered field can hold, since a pattern may be longer than its match

FILTER_NAMES: Final = ("policyId", "provider", "model", "allowed", "enforcement", "startDate", "endDate")
"""The filters, in the order of the documentation."""


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry must fulfil; what is empty or None asks nothing.

    `providers` are those that served a request, or were asked for if it was refused. `models` are patterns.
    `start` (inclusive) and `end` (exclusive) are microseconds since 1970.
    """

    policy_ids: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    allowed: bool | None = None
    enforcements: tuple[str, ...] = ()
    start: int | None = None
    end: int | None = None


def parse_filters(given: Mapping[str, Sequence[str]]) -> Filters:
    """Read filters from what was given for each name.

    :raises InvalidInput: naming the filter at fault and what it allows
    """
    for name in given:
        if name not in FILTER_NAMES:
            raise InvalidInput(f"There is no filter {name!r}.", param=name, hint=did_you_mean(name, FILTER_NAMES))
    start, end = _span(given)
    return Filters(
        policy_ids=_values(given, "policyId"),
        providers=_values(given, "provider"),
        models=_values(given, "model"),
        allowed=_flag(given, "allowed"),
        enforcements=_choices(given, "enforcement", tuple(Enforcement)),
        start=start,
        end=end,
    )


def check_text(text: str, param: str) -> None:
    """Refuse text that no log can hold.

    :raises InvalidInput: naming `param`, for a control character, U+007F or half of a surrogate pair
    """
    for character in text:
        if character < " " or character == "\x7f" or "\ud800" <= character <= "\udfff":
            raise InvalidInput(
                f"{param} must be text without control characters and lone surrogates; "
                f"it has U+{ord(character):04X} in it.",
                param=param,
            )


def _values(given: Mapping[str, Sequence[str]], name: str) -> tuple[str, ...]:
    """Return the values of a filter, each once, in the order given."""
    values = tuple(dict.fromkeys(value for text in given.get(name, ()) for value in text.split(",")))
    if len(values) > MAX_VALUES:
        raise InvalidInput(f"{name} takes at most {MAX_VALUES} values; {len(values)} were given.", param=name)
    for value in values:
        if not value:
            raise InvalidInput(f"{name} has an empty value; name one, or leave the filter out.", param=name)
        if len(value.encode("utf-8", "surrogatepass")) > _MAX_BYTES:
            raise InvalidInput(f"A value of {name} may be at most {_MAX_BYTES} bytes long.", param=name)
        check_text(value, name)
    return values


def _choices(given: Mapping[str, Sequence[str]], name: str, allowed: Iterable[str]) -> tuple[str, ...]:
    choices = {str(choice) for choice in allowed}
    values = _values(given, name)
    for value in values:
        if value not in choices:
            raise InvalidInput(f"{name} must be {_any_of(choices)}, not {value!r}.", param=name)
    return values


def _flag(given: Mapping[str, Sequence[str]], name: str) -> bool | None:
    """Return the one truth value that was asked for; None if none or both were."""
    values = _choices(given, name, ("true", "false"))
    return values[0] == "true" if len(values) == 1 else None


def _span(given: Mapping[str, Sequence[str]]) -> tuple[int | None, int | None]:
    first, last = _once(given, "startDate"), _once(given, "endDate")
    start = None if first is None else parse_start(first, "startDate")
    end = None if last is None else parse_end(last, "endDate")
    if start is not None and end is not None and last is not None and (end < start or (is_date(last) and end == start)):
        raise InvalidInput(f"endDate {last} is before startDate {first}.", param="endDate")
    return start, end


def _once(given: Mapping[str, Sequence[str]], name: str) -> str | None:
    values = _values(given, name)
    if len(values) > 1:
        raise InvalidInput(f"{name} can be given once; {len(values)} values were given.", param=name)
    return values[0] if values else None


def _any_of(choices: Iterable[str]) -> str:
    *others, last = sorted(choices)
    return f"{', '.join(others)} or {last}"
