"""What a report is asked for: a period, filters, a grouping, a granularity."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, TypeVar

import msgspec

from scriba.domain.buckets import Granularity, buckets_of
from scriba.domain.filter import FILTER_NAMES, Filters, parse_filters
from scriba.domain.period import Period, first_of_month, parse_period
from scriba.domain.timestamp import MAX_MICROS
from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["QUESTION_NAMES", "GroupBy", "Question", "encode_question", "parse_question", "read_question"]

_ChoiceT = TypeVar("_ChoiceT", bound=StrEnum)
_DATES: Final = ("startDate", "endDate")
_OWN: Final = ("period", "groupBy", "granularity")

QUESTION_NAMES: Final = (*_OWN, *FILTER_NAMES)
"""Every parameter of a report but its format."""


class GroupBy(StrEnum):
    """What requests are counted by."""

    PROVIDER = "provider"
    MODEL = "model"
    POLICY = "policy"
    API_KEY = "apiKey"
    ENFORCEMENT = "enforcement"
    USER = "user"
    TAG = "tag"


class Question(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The question that a report answers.

    `given` holds the filters as they were asked for, without dates. `said` is how the period was chosen. `start`
    (inclusive) and `end` (exclusive) are in microseconds since 1970; without a start the period begins with the day of
    the oldest entry.
    """

    said: Literal["period", "dates", "default"]
    start: int | None
    end: int
    given: dict[str, tuple[str, ...]] = {}
    group_by: GroupBy | None = None
    granularity: Granularity | None = None

    @property
    def period(self) -> Period:
        """The period, once its start is known."""
        assert self.start is not None  # noqa: S101 - `from_oldest` has settled it
        return Period(self.start, self.end)

    def filters(self) -> Filters:
        """Return what an entry must fulfil, the period included."""
        return msgspec.structs.replace(parse_filters(self.given), start=self.start, end=self.end)


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Question).decode


def encode_question(question: Question) -> str:
    """Write a question as JSON, to be kept."""
    return _encode(question).decode()


def read_question(text: str) -> Question:
    """Read a question that was kept."""
    return _decode(text)


def parse_question(given: Mapping[str, Sequence[str]], now: int) -> Question:
    """Read the parameters of a report.

    :param now: the time, in microseconds since 1970
    :raises InvalidInput: naming the parameter at fault and what it allows
    """
    names = {name: tuple(texts) for name, texts in given.items() if texts}
    filters = parse_filters({name: texts for name, texts in names.items() if name not in _OWN})
    said, start, end = _period(names, filters, now)
    granularity = _choice(names, "granularity", Granularity)
    question = Question(
        said=said,
        start=start,
        end=end,
        given={name: texts for name, texts in names.items() if name not in {*_OWN, *_DATES}},
        group_by=_choice(names, "groupBy", GroupBy),
        granularity=granularity,
    )
    if granularity is not None and start is not None:
        buckets_of(question.period, granularity)  # refuses too many of them before anything is read
    return question


def _period(
    given: Mapping[str, tuple[str, ...]], filters: Filters, now: int
) -> tuple[Literal["period", "dates", "default"], int | None, int]:
    dates = [name for name in _DATES if name in given]
    name = _once(given, "period")
    if name is not None and dates:
        raise InvalidInput(f"period and {' and '.join(dates)} exclude each other; leave one out.", param="period")
    if name is not None:
        return "period", *parse_period(name, "period")
    if not dates:
        return "default", first_of_month(now), now
    start = filters.start
    end = max(now, start or 0) if filters.end is None else filters.end
    for param, moment in (("startDate", start), ("endDate", end)):
        if moment is not None and not 0 <= moment <= MAX_MICROS + 1:
            raise InvalidInput(f"{param} must lie between 1970 and the end of 9999.", param=param)
    return "dates", start, end


def _choice(given: Mapping[str, tuple[str, ...]], name: str, choices: type[_ChoiceT]) -> _ChoiceT | None:
    text = _once(given, name)
    try:
        return None if text is None else choices(text)
    except ValueError:
        raise InvalidInput(f"{name} must be {_any_of(choices)}, not {text!r}.", param=name) from None


def _once(given: Mapping[str, tuple[str, ...]], name: str) -> str | None:
    texts = given.get(name, ())
    if len(texts) > 1:
        raise InvalidInput(f"{name} can be given once; {len(texts)} values were given.", param=name)
    return texts[0] if texts else None


def _any_of(choices: Iterable[str]) -> str:
    *others, last = choices
    return f"{', '.join(others)} or {last}"
