"""Whether what is missing at the beginning of a log was purged as the retention of that day allowed.

The log `admin` says so, and is never purged itself: it holds each change of the retention and each purge. A purge ends
at a mark, which stays. Log time never decreases, so the mark shows that all that was before it was old enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scriba.domain.period import DAY
from scriba.domain.record import Event
from scriba.domain.timestamp import format_timestamp
from scriba.ledger.verifier import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scriba.domain.record import Stored

__all__ = ["CHANGED", "PURGED", "Beginning", "RetentionEvents"]

CHANGED: Final = "retention.changed"
PURGED: Final = "retention.purged"


class Beginning(NamedTuple):
    """Where a log begins, as one snapshot has it.

    `mark_time` is the log time of its first record; None if there is none. `admin_size` is how many records the log
    `admin` had in this snapshot, and `retention` how many days the organisation's entries were kept.
    """

    origin: str
    first_seq: int
    mark_time: int | None
    admin_size: int
    retention: int


class _Change(NamedTuple):
    seq: int
    before: int
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

    def note(self, stored: Stored) -> None:
        """Keep what a record says, if it says anything about retention."""
        event = stored.record
        if not isinstance(event, Event):
            return
        if event.action == CHANGED:
            before, after = (_number(event, name) for name in ("retentionDaysBefore", "retentionDays"))
            self._changes.append(_Change(stored.seq, before, after))
        elif event.action == PURGED:
            before, days = (_number(event, name) for name in ("before", "retentionDays"))
            self._purges.append(_Purge(stored.seq, stored.log_time, event.target, before, days))

    def examine(self, beginning: Beginning) -> Iterator[Finding]:
        """Yield what is wrong with the beginning of a log."""
        purges = [one for one in self._purges if one.origin == beginning.origin and one.seq < beginning.admin_size]
        first = beginning.first_seq
        furthest = max((one.before for one in purges), default=0)
        if furthest > first:
            message = f"The log begins at record {first}, though all before record {furthest} was purged."
            yield Finding(first, "firstSeq", message)
        purge = next((one for one in purges if one.before == first), None)
        if purge is not None:
            yield from self._judge(purge, beginning)
        elif first:
            last = max((one.before for one in purges if one.before < first), default=0)
            message = f"The records from {last} to {first - 1} are missing, and no purge of them is on record."
            yield Finding(last, "firstSeq", message)

    def _judge(self, purge: _Purge, beginning: Beginning) -> Iterator[Finding]:
        """Compare a purge with the retention of its day."""
        first, allowed = beginning.first_seq, self._retention_at(purge.seq, beginning.retention)
        if purge.days < allowed:
            message = f"The records before {first} were purged after {purge.days} days and had to be kept {allowed}."
            yield Finding(first - 1, "firstSeq", message)
        if beginning.mark_time is not None and beginning.mark_time >= purge.log_time - purge.days * DAY:
            message = (
                f"The records before {first} were purged at {format_timestamp(purge.log_time)}, and those logged until "
                f"{format_timestamp(beginning.mark_time)} were younger than {purge.days} days then."
            )
            yield Finding(first - 1, "firstSeq", message)

    def _retention_at(self, seq: int, now: int) -> int:
        """Return how many days entries had to be kept when this record of `admin` was written."""
        earlier = [one for one in self._changes if one.seq < seq]
        if earlier:
            return earlier[-1].after
        return self._changes[0].before if self._changes else now


def _number(event: Event, name: str) -> int:
    value = event.detail.get(name)
    return value if isinstance(value, int) else 0
