"""The figures of a report, all from one snapshot of the logs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from scriba.audit.report.question import GroupBy
from scriba.audit.report.statement import (
    BLOCKED_COLUMNS,
    blocked_statement,
    is_retried_statement,
    served_statement,
    tally_statement,
)
from scriba.domain.buckets import HOUR, Bucket, Granularity, bucket_start, buckets_of
from scriba.domain.period import DAY
from scriba.errors import InvalidInput
from scriba.policy.reasons import short_reasons

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlalchemy import Connection

    from scriba.audit.report.question import Question
    from scriba.audit.report.statement import Key
    from scriba.audit.span import Span
    from scriba.storage.database import Dialect

__all__ = [
    "MAX_BLOCKED",
    "MAX_GROUPS",
    "MAX_TAG_LISTS",
    "Blocked",
    "Figures",
    "Group",
    "Served",
    "Tally",
    "read_figures",
]

MAX_BLOCKED: Final = 1_000
"""Refused requests that a report lists; their number is not limited."""

MAX_GROUPS: Final = 10_000
"""Groups that a report may have."""

MAX_TAG_LISTS: Final = 100_000
"""Combinations of tags that are taken apart for groups by tag; more would not fit into a server's memory."""

_ALL: Final = 2**62
_decode_texts: Final = msgspec.json.Decoder(tuple[str, ...]).decode


class Tally(NamedTuple):
    """How many requests there were, and what became of them.

    `warned`, `rerouted` and `defied` are allowed ones that had reasons against them: under `warn`, under `soft_block`
    and, which only another gateway can have told, under `hard_block`.
    """

    requests: int = 0
    allowed: int = 0
    warned: int = 0
    rerouted: int = 0
    defied: int = 0

    @property
    def blocked(self) -> int:
        """How many were refused."""
        return self.requests - self.allowed

    @property
    def rate(self) -> int | float | None:
        """Per cent that were allowed, rounded down to hundredths, so that 100 means all; None of nothing."""
        if not self.requests:
            return None
        hundredths = 10_000 * self.allowed // self.requests
        return hundredths // 100 if hundredths % 100 == 0 else hundredths / 100

    def plus(self, other: Tally) -> Tally:
        """Return the sum of two tallies."""
        return Tally(*map(int.__add__, self, other))


class Blocked(NamedTuple):
    """A refused request. `timestamp` is in microseconds since 1970; `reasons` are the short ones."""

    timestamp: int
    log: str
    seq: int
    request_id: str
    model: str
    reasons: tuple[str, ...]
    ip_address: str | None


class Group(NamedTuple):
    """Requests that have something in common; `key` is None for those that lack it."""

    key: str | None
    name: str | None
    tally: Tally


class Served(NamedTuple):
    """A provider that served requests under one version of a policy."""

    policy_sha256: str
    provider: str
    policy_name: str


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What the logs say about a question.

    `total` counts requests and `entries` every attempt of them. `providers`, `groups` and `blocked` are in the order of
    the report; `is_truncated` says that `blocked` is the newest part.
    """

    total: Tally
    entries: Tally
    providers: Sequence[Group]
    blocked: Sequence[Blocked]
    is_truncated: bool
    served: Sequence[Served]
    groups: Sequence[Group] | None
    series: Sequence[tuple[Bucket, Tally]] | None


def read_figures(
    connection: Connection, dialect: Dialect, spans: Sequence[Span], question: Question, names: Mapping[str, str]
) -> Figures:
    """Compute the figures in the snapshot of a connection.

    :param names: of what is grouped by, where entries tell none or an older one
    :raises InvalidInput: there would be too many groups
    """
    return _Reader(connection, dialect, spans, question, names).read()


class _Reader:
    """Reads each log by itself and adds the results up."""

    def __init__(
        self,
        connection: Connection,
        dialect: Dialect,
        spans: Sequence[Span],
        question: Question,
        names: Mapping[str, str],
    ) -> None:
        self._names = names
        self._connection = connection
        self._dialect = dialect
        self._spans = spans
        self._question = question
        self._filters = question.filters()
        self._retried = {
            span: connection.exec_driver_sql(*is_retried_statement(span, dialect)).first() is not None for span in spans
        }

    def read(self) -> Figures:
        providers = self._groups(GroupBy.PROVIDER, most=_ALL)
        total = _sum(group.tally for group in providers)
        # Only retries make entries and requests differ, and they are rare.
        entries = self._tally("all", last_only=False) if any(self._retried.values()) else {None: total}
        blocked = self._blocked(MAX_BLOCKED + 1) if total.blocked else []
        return Figures(
            total=total,
            entries=_sum(entries.values()),
            providers=providers,
            blocked=blocked[-MAX_BLOCKED:],
            is_truncated=len(blocked) > MAX_BLOCKED,
            served=self._served(),
            groups=self._asked_groups(providers),
            series=self._series(),
        )

    def _asked_groups(self, providers: Sequence[Group]) -> Sequence[Group] | None:
        by = self._question.group_by
        if by is None:
            return None
        if by is GroupBy.PROVIDER:
            return providers
        return self._groups(by, most=MAX_GROUPS)

    def _groups(self, by: GroupBy, most: int) -> list[Group]:
        told: dict[object, str] = {}
        is_tag = by is GroupBy.TAG
        found = self._tally(by, last_only=True, names=told, most=(MAX_TAG_LISTS if is_tag else most) + 1)
        if is_tag and len(found) > MAX_TAG_LISTS:
            raise _too_many(f"{MAX_TAG_LISTS} combinations of tags")
        if is_tag:
            found = _by_tag(found)
        if len(found) > most:
            raise _too_many(f"{MAX_GROUPS} groups by {by}")
        groups = (Group(_text(key), self._name(key, told), tally) for key, tally in found.items())
        return sorted(groups, key=lambda group: (-group.tally.requests, group.key is None, group.key or ""))

    def _name(self, key: object, told: Mapping[object, str]) -> str | None:
        text = _text(key)
        return None if text is None else self._names.get(text) or told.get(key) or text

    def _series(self) -> list[tuple[Bucket, Tally]] | None:
        granularity = self._question.granularity
        if granularity is None:
            return None
        is_hourly = granularity is Granularity.HOURLY
        found: dict[int, Tally] = {}
        for number, tally in self._tally("hour" if is_hourly else "day", last_only=True).items():
            assert isinstance(number, int)  # noqa: S101 - a division of integers
            start = bucket_start(number * (HOUR if is_hourly else DAY), granularity)
            found[start] = found.get(start, Tally()).plus(tally)
        buckets = buckets_of(self._question.period, granularity)
        return [(bucket, found.get(bucket.start, Tally())) for bucket in buckets]

    def _tally(
        self, key: Key, *, last_only: bool, names: dict[object, str] | None = None, most: int = _ALL
    ) -> dict[object, Tally]:
        found: dict[object, Tally] = {}
        for span in self._spans:
            statement = tally_statement(
                span, self._filters, self._dialect, key, last_only=last_only and self._retried[span], most=most
            )
            for value, requests, *counts, name in self._connection.exec_driver_sql(*statement):
                if not requests:
                    continue  # without groups, the sums of nothing are NULL
                found[value] = found.get(value, Tally()).plus(Tally(requests, *map(int, counts)))
                if names is not None and name is not None:
                    names[value] = name
        return found

    def _blocked(self, most: int) -> list[Blocked]:
        """Return the newest refused requests, the newest last."""
        found = []
        for span in self._spans:
            statement = blocked_statement(span, self._filters, self._dialect, last_only=self._retried[span], most=most)
            for row in self._connection.exec_driver_sql(*statement):
                fields = dict(zip(BLOCKED_COLUMNS, row, strict=True))
                reasons = short_reasons(_decode_texts(fields.pop("violation_reasons")))
                found.append(Blocked(log=span.log, reasons=reasons, **fields))
        return sorted(found, key=lambda one: one[:3])[-most:]

    def _served(self) -> list[Served]:
        """Return who served under which policy; what was decided elsewhere names no version of a policy."""
        statements = [served_statement(span, self._filters, self._dialect) for span in self._spans]
        rows = {Served(*row) for statement in statements for row in self._connection.exec_driver_sql(*statement)}
        return sorted(rows)


def _too_many(what: str) -> InvalidInput:
    return InvalidInput(f"There are more than {what}; take a shorter period or add a filter.", param="groupBy")


def _by_tag(found: dict[object, Tally]) -> dict[object, Tally]:
    """Count by tag what was counted by all tags together; a request with two tags counts for both."""
    by_tag: dict[object, Tally] = {}
    for texts, tally in found.items():
        for tag in _tags(texts):
            by_tag[tag] = by_tag.get(tag, Tally()).plus(tally)
    return by_tag


def _tags(texts: object) -> Iterator[str | None]:
    tags = _decode_texts(texts) if isinstance(texts, str) else ()
    yield from dict.fromkeys(tags) or (None,)


def _text(key: object) -> str | None:
    return None if key is None else str(key)


def _sum(tallies: Iterable[Tally]) -> Tally:
    total = Tally()
    for tally in tallies:
        total = total.plus(tally)
    return total
