"""Which entries somebody wants to see.

A filter comes as text, from a query string or a command line, under the names of the HTTP API. It may be
given several times or hold several values joined by commas: both mean "any of". Different filters must all hold.

`FILTERS` is the one list of them, from which the parser, the query string, the options of the command line and the
documentation are made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from scriba.domain.address import AddressRange, parse_network
from scriba.domain.nearest import did_you_mean
from scriba.domain.period import is_date, parse_end, parse_start
from scriba.domain.record import Enforcement, Source
from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["FILTERS", "FILTER_NAMES", "MAX_VALUES", "WILDCARD", "FilterForm", "Filters", "check_text", "parse_filters"]

WILDCARD: Final = "*"
"""In a model filter: any run of characters, also none. There is no escape; no known model has a `*` in its name."""

MAX_VALUES: Final = 100
"""Values that one filter can name."""

_MAX_BYTES: Final = 512  # twice what any filtered field can hold, since a pattern may be longer than its match

_SLOTS: Final = tuple(str(slot) for slot in range(1, 13))
_TRUTHS: Final = ("true", "false")


class FilterForm(NamedTuple):
    """One filter: its name, what a value of it is, and what it asks for.

    `choices` are the only values, if they are few. A filter that is `once` takes one value, and one that is `whole`
    keeps the commas in it.
    """

    name: str
    value: str
    meaning: str
    choices: tuple[str, ...] = ()
    once: bool = False
    whole: bool = False


FILTERS: Final = (
    FilterForm("policyId", "ID", "The policy that was applied."),
    FilterForm("policySlot", "N", "The slot of the policy that was applied, 1 to 12.", choices=_SLOTS),
    FilterForm("provider", "NAME", "The provider that served the request, or was asked for if it was refused."),
    FilterForm("model", "NAME", "The model that was asked for; * stands for any characters."),
    FilterForm("allowed", "BOOL", "Whether the request was let through: true or false.", choices=_TRUTHS),
    FilterForm("enforcement", "HOW", "What the policy does about violations.", choices=tuple(map(str, Enforcement))),
    FilterForm("apiKeyId", "ID", "The API key that was used."),
    FilterForm("requestId", "ID", "The request."),
    FilterForm("ipAddress", "ADDRESS", "The caller's address, or a network like 203.0.113.0/24 or 2001:db8::/32."),
    FilterForm("violation", "TEXT", "A part of the text of a reason, long or short; commas belong to it.", whole=True),
    FilterForm("user", "NAME", "The user that the caller named."),
    FilterForm("tag", "TAG", "One of the tags that the caller gave."),
    FilterForm("source", "SOURCE", "Where the entry came from.", choices=tuple(map(str, Source))),
    FilterForm("startDate", "WHEN", "From this UTC day, or this moment, on.", once=True),
    FilterForm("endDate", "WHEN", "To the end of this UTC day, or before this moment.", once=True),
)
"""The filters, in the order of the documentation."""

FILTER_NAMES: Final = tuple(form.name for form in FILTERS)
"""Their names."""

_FORMS: Final = {form.name: form for form in FILTERS}


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry must fulfil; what is empty or None asks nothing.

    `providers` are those that served a request, or were asked for if it was refused. `models` are patterns,
    `violations` parts of the text of a reason. `start` (inclusive) and `end` (exclusive) are microseconds since 1970.
    """

    policy_ids: tuple[str, ...] = ()
    policy_slots: tuple[int, ...] = ()
    providers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    allowed: bool | None = None
    enforcements: tuple[str, ...] = ()
    api_key_ids: tuple[str, ...] = ()
    request_ids: tuple[str, ...] = ()
    networks: tuple[AddressRange, ...] = ()
    violations: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    start: int | None = None
    end: int | None = None


def parse_filters(given: Mapping[str, Sequence[str]]) -> Filters:
    """Read filters from what was given for each name.

    :raises InvalidInput: naming the filter at fault and what it allows
    """
    for name in given:
        if name not in FILTER_NAMES:
            raise InvalidInput(f"There is no filter {name!r}.", param=name, hint=did_you_mean(name, FILTER_NAMES))
    values = {name: _values(form, given.get(name, ())) for name, form in _FORMS.items()}
    networks = (parse_network(text, "ipAddress") for text in values["ipAddress"])
    start, end = _span(values)
    return Filters(
        policy_ids=values["policyId"],
        policy_slots=tuple(map(int, values["policySlot"])),
        providers=values["provider"],
        models=values["model"],
        allowed=values["allowed"] == ("true",) if len(values["allowed"]) == 1 else None,
        enforcements=values["enforcement"],
        api_key_ids=values["apiKeyId"],
        request_ids=values["requestId"],
        networks=tuple(dict.fromkeys(part for parts in networks for part in parts)),
        violations=values["violation"],
        users=values["user"],
        tags=values["tag"],
        sources=values["source"],
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


def _values(form: FilterForm, given: Sequence[str]) -> tuple[str, ...]:
    """Return the values of a filter, each once, in the order given."""
    name, parts = form.name, (part for text in given for part in ((text,) if form.whole else text.split(",")))
    values = tuple(dict.fromkeys(parts))
    if len(values) > MAX_VALUES:
        raise InvalidInput(f"{name} takes at most {MAX_VALUES} values; {len(values)} were given.", param=name)
    if "" in values:
        raise InvalidInput(f"{name} has an empty value; name one, or leave the filter out.", param=name)
    for value in values:
        if len(value.encode("utf-8", "surrogatepass")) > _MAX_BYTES:
            raise InvalidInput(f"A value of {name} may be at most {_MAX_BYTES} bytes long.", param=name)
        check_text(value, name)
        if form.choices and value not in form.choices:
            raise InvalidInput(f"{name} must be {_any_of(form.choices)}, not {value!r}.", param=name)
    if form.once and len(values) > 1:
        raise InvalidInput(f"{name} can be given once; {len(values)} values were given.", param=name)
    return values


def _span(values: Mapping[str, tuple[str, ...]]) -> tuple[int | None, int | None]:
    first, last = (next(iter(values[name]), None) for name in ("startDate", "endDate"))
    start = None if first is None else parse_start(first, "startDate")
    end = None if last is None else parse_end(last, "endDate")
    if start is not None and end is not None and last is not None and (end < start or (is_date(last) and end == start)):
        raise InvalidInput(f"endDate {last} is before startDate {first}.", param="endDate")
    return start, end


def _any_of(choices: Sequence[str]) -> str:
    if choices == _SLOTS:
        return "a whole number from 1 to 12"
    *others, last = sorted(choices)
    return f"{', '.join(others)} or {last}"
