"""Verification of one whole log against its head: what the records themselves can prove.

A single pass in constant memory. It finds edited, removed, inserted, swapped and backdated records, changed or
missing hidden values, and a head that does not fit its records. Only receipts, checkpoints and witnesses that
were kept elsewhere can show that a whole log was written anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scriba.domain.record import Decision, Event, LogStart, Mark, Stored
from scriba.domain.timestamp import InvalidTimestamp, format_timestamp
from scriba.ledger.canonical import InvalidRecord
from scriba.ledger.fields import form_of
from scriba.ledger.hidden import Value, field_key, hidden_values, opens
from scriba.ledger.record import record_bytes
from scriba.ledger.seal import EMPTY_HEAD, Head
from scriba.merkle.tree import HASH_SIZE, leaf_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from scriba.ledger.origin import Origin

__all__ = ["MAX_FINDINGS", "Finding", "Verification", "verify_log"]

MAX_FINDINGS: Final = 100
"""Findings that are kept; later ones are only counted."""

_NO_HASH: Final = bytes(HASH_SIZE)
_TYPES: Final = {
    "requests": {"log", "decision", "outcome", "mark", "gap", "keys"},
    "imports": {"log", "decision", "import", "mark", "keys"},
    "admin": {"log", "event", "mark", "keys"},
}


class Finding(NamedTuple):
    """Something that is not as it was logged. `seq` is None if no single record can be named."""

    seq: int | None
    field: str
    message: str

    def __str__(self) -> str:
        return self.message


class Verification(NamedTuple):
    """The result of verifying a log: how many records it has, their root, and what was found.

    `purged` is how many of the records, the first ones, were purged; the root covers them all the same.
    """

    records: int
    root: bytes
    findings: tuple[Finding, ...]
    further: int
    """Findings beyond those that were kept."""
    purged: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def first_bad(self) -> int | None:
        """The lowest seq that a finding names."""
        return min((finding.seq for finding in self.findings if finding.seq is not None), default=None)


def _nothing_erased(_seq: int, _field: str) -> bool:
    return False


def verify_log(
    records: Iterable[Stored],
    head: Head,
    origin: Origin,
    erased: Callable[[int, str], bool] = _nothing_erased,
    verified: Head = EMPTY_HEAD,
    *,
    purged: int = 0,
) -> Verification:
    """Verify the records of a log, in their order, against its head.

    :param erased: whether an erasure of this field of the record with this seq is on record
    :param verified: a head that an earlier verification reached, or that a purge has left; `records` then begins after
        it
    :param purged: how many records were purged; a mark has to follow them
    """
    return _Pass(head, origin, erased, purged).run(records, verified)


class _Pass:
    """One pass over a log."""

    def __init__(self, head: Head, origin: Origin, erased: Callable[[int, str], bool], purged: int) -> None:
        self._head = head
        self._origin = origin
        self._erased = erased
        self._purged = purged
        self._found: list[Finding] = []
        self._further = 0

    def run(self, records: Iterable[Stored], verified: Head) -> Verification:
        reached = verified
        expected = verified.size
        for stored in records:
            if stored.seq != expected:
                self._report(expected, "seq", f"Record {expected} is not in its place: seq is {stored.seq} there.")
            for field, message in self._examine(stored, reached):
                self._report(stored.seq, field, f"Record {stored.seq} {message}.")
            # The stored hash goes into the root, so that an edited record is one finding and not two.
            leaf = stored.leaf_hash if len(stored.leaf_hash) == HASH_SIZE else _NO_HASH
            reached = reached.append([leaf], max(reached.last_time, stored.log_time))
            expected = stored.seq + 1
        self._check_head(reached)
        return Verification(reached.size, reached.root(), tuple(self._found), self._further, self._purged)

    def _examine(self, stored: Stored, before: Head) -> Iterator[tuple[str, str]]:
        """Yield the field and the rest of the sentence for whatever is wrong with one record."""
        yield from _check_bytes(stored)
        if stored.log_time < before.last_time:
            yield (
                "timestamp",
                f"goes back in time: its timestamp is before {_time(before.last_time)}, the latest so far",
            )
        yield from _check_place(stored, self._origin, first=before.size == 0)
        yield from _check_openings(stored, self._erased)
        if self._purged and stored.seq == self._purged and not isinstance(stored.record, Mark):
            yield "type", "is the first that was not purged, and no mark: nothing shows how old the purged ones were"

    def _check_head(self, reached: Head) -> None:
        head = self._head
        if reached.size != head.size:
            seq = min(reached.size, head.size)
            message = f"The log has {reached.size} records and its head says {head.size}: they part at seq {seq}."
            self._report(seq, "seq", message)
        elif reached.frontier != head.frontier:
            self._report(None, "root", "The records do not add up to the root hash in the head of the log.")
        elif reached.last_time != head.last_time:
            seq = head.size - 1
            self._report(seq, "timestamp", f"Record {seq} is the last, and the head of the log has another timestamp.")

    def _report(self, seq: int | None, field: str, message: str) -> None:
        if len(self._found) < MAX_FINDINGS:
            self._found.append(Finding(seq, field, message))
        else:
            self._further += 1


def _check_bytes(stored: Stored) -> Iterator[tuple[str, str]]:
    """Whether the stored fields give the hash that was logged."""
    try:
        data = record_bytes(stored)
    except InvalidRecord as error:
        yield error.field, f"cannot be what was logged: {error}"
    except InvalidTimestamp as error:
        yield "timestamp", f"cannot be what was logged: {error}"
    else:
        if leaf_hash(data) != stored.leaf_hash:
            yield "record", "was changed: its fields do not give the hash that was logged"


def _check_place(stored: Stored, origin: Origin, *, first: bool) -> Iterator[tuple[str, str]]:
    """Whether the record belongs into this log, and at its beginning or not."""
    record = stored.record
    kind = form_of(record).type
    if first != isinstance(record, LogStart):
        yield "type", f"is of the type {kind}, and a record of the type log stands first and nowhere else"
    elif kind not in _TYPES.get(origin.log, ()):
        yield "type", f"is of the type {kind}, which the log {origin.log} does not hold"
    if isinstance(record, LogStart) and record.origin != str(origin):
        yield "origin", f"has the origin {record.origin}, and this is the log {origin}"
    if isinstance(record, LogStart | Decision) and record.org_id != origin.org_id:
        yield "orgId", f"has the orgId {record.org_id or '(none)'}, and this is the log {origin}"
    if isinstance(record, Decision) and (record.timestamp is not None) != (origin.log == "imports"):
        yield "source", f"has the source {record.source}, which the log {origin.log} does not hold"


def _check_openings(stored: Stored, erased: Callable[[int, str], bool]) -> Iterator[tuple[str, str]]:
    """Whether values fit the commitments that were kept beside them, and missing ones were erased."""
    if not stored.commitments or not isinstance(stored.record, Decision | Event):
        return
    values = hidden_values(stored.record.hidden)
    for name, commitment in stored.commitments.items():
        if name in values:
            if not _opens(stored, name, commitment, values[name]):
                yield name, f"was changed: the value of {name} is not the one that was logged"
        elif not erased(stored.seq, name):
            yield name, f"misses the value of {name}, and no erasure of it is on record"


def _opens(stored: Stored, name: str, commitment: str, value: Value) -> bool:
    try:
        known = stored.field_keys.get(name)
        return opens(commitment, bytes.fromhex(known) if known else field_key(stored.salt, name), value)
    except ValueError:  # a key or salt that is missing or malformed opens nothing
        return False


def _time(micros: int) -> str:
    try:
        return format_timestamp(micros)
    except InvalidTimestamp:
        return f"{micros} microseconds"
