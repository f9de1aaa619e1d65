"""Whether what is missing at the beginning of a log was purged as the retention of that day allowed.

The log `admin` says so, and is never purged itself: it holds each change of the retention and each purge. What it was
at first stands in the deployment's own log `admin`, where the organisation was created. A purge ends at a mark, which
stays. Log time never decreases, so the mark shows that all that was before it was old enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from scriba.domain.period import DAY
from scriba.domain.record import Event
from scriba.domain.timestamp import format_timestamp
from scriba.ledger.verifier import Finding
from scriba.storage.model import TIERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scriba.domain.record import Stored

__all__ = ["CHANGED", "PURGED", "Beginning", "RetentionEvents", "days_at_first"]

CHANGED: Final = "retention.changed"
PURGED: Final = "retention.purged"
_CREATED: Final = "org.created"


class Beginning(NamedTuple):
    """Where a log begins, as one snapshot has it.

    `mark_time` is the log time of its first record; None if there is none. `admin_size` is how many records the log
    `admin` had in this snapshot.
    """

    origin: str
    first_seq: int
    mark_time: int | None
    admin_size: int


class _Founded(msgspec.Struct, kw_only=True, rename="camel"):
    """What the document about a new organisation says of its retention."""

    tier: str
    retention_days: int | None = None


class _Change(NamedTuple):
    seq: int
    after: int


class _Purge(NamedTuple):
    seq: int
    log_time: int
    origin: str
    before: int
    days: int


class RetentionEvents:
    """What the records of a log `admin` say about retention. It is given all of them, in their order."""

    def __init__(self) -> None:
        self._changes: list[_Change] = []
        self._purges: list[_Purge] = []
        self._created: dict[str, str] = {}

    def copy(self) -> RetentionEvents:
        """Return one that goes on from the same place."""
        other = RetentionEvents()
        other._changes, other._purges, other._created = self._changes[:], self._purges[:], self._created.copy()
        return other

    def note(self, stored: Stored) -> None:
        """Keep what a record says, if it says anything about retention."""
        event = stored.record
        if not isinstance(event, Event):
            return
        if event.action == CHANGED:
            self._changes.append(_Change(stored.seq, _number(event, "retentionDays")))
        elif event.action == PURGED:
            before, days = (_number(event, name) for name in ("before", "retentionDays"))
            self._purges.append(_Purge(stored.seq, stored.log_time, event.target, before, days))
        elif event.action == _CREATED:
            self._created.setdefault(event.target, str(event.detail.get("afterSha256", "")))

    def created(self, org_id: str) -> str | None:
        """Return the hash of the document that an organisation was created with; None if nothing says so."""
        return self._created.get(org_id)

    def examine(self, beginning: Beginning, at_first: int | None) -> Iterator[Finding]:
        """Yield what is wrong with the beginning of a log.

        :param at_first: how many days the organisation's entries had to be kept at first; None if nobody can tell
        """
        purges = [one for one in self._purges if one.origin == beginning.origin and one.seq < beginning.admin_size]
        first = beginning.first_seq
        furthest = max((one.before for one in purges), default=0)
        if furthest > first:
            message = f"The log begins at record {first}, though all before record {furthest} was purged."
            yield Finding(first, "firstSeq", message)
        purge = next((one for one in purges if one.before == first), None)
        if purge is not None:
            yield from self._judge(purge, beginning, at_first)
        elif first:
            last = max((one.before for one in purges if one.before < first), default=0)
            message = f"The records from {last} to {first - 1} are missing, and no purge of them is on record."
            yield Finding(last, "firstSeq", message)

    def _judge(self, purge: _Purge, beginning: Beginning, at_first: int | None) -> Iterator[Finding]:
        """Compare a purge with the retention of its day."""
        first = beginning.first_seq
        allowed = next((one.after for one in reversed(self._changes) if one.seq < purge.seq), at_first)
        if allowed is None:
            message = f"Nothing shows for how many days the records before {first}, which were purged, had to be kept."
            yield Finding(first - 1, "firstSeq", message)
        elif purge.days < allowed:
            message = f"The records before {first} were purged after {purge.days} days and had to be kept {allowed}."
            yield Finding(first - 1, "firstSeq", message)
        if beginning.mark_time is not None and beginning.mark_time >= purge.log_time - purge.days * DAY:
            message = (
                f"The records before {first} were purged at {format_timestamp(purge.log_time)}, and those logged until "
                f"{format_timestamp(beginning.mark_time)} were younger than {purge.days} days then."
            )
            yield Finding(first - 1, "firstSeq", message)


def days_at_first(document: bytes) -> int | None:
    """Return how many days entries had to be kept by the document about a new organisation; None if it is none."""
    try:
        founded = msgspec.json.decode(document, type=_Founded)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return TIERS.get(founded.tier) if founded.retention_days is None else founded.retention_days


def _number(event: Event, name: str) -> int:
    value = event.detail.get(name)
    return value if isinstance(value, int) else 0
