"""Verification of one whole log against its head: what the records themselves can prove.

A single pass in constant memory. It finds edited, removed, inserted, swapped and backdated records, changed or
missing hidden values, and a head that does not fit its records. Only receipts, checkpoints and witnesses that
were kept elsewhere can show that a whole log was written anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scriba.domain.record import Decision, Event, Hidden, LogStart, Stored
from scriba.domain.timestamp import InvalidTimestamp, format_timestamp
from scriba.ledger.canonical import InvalidRecord
from scriba.ledger.fields import form_of
from scriba.ledger.hidden import field_key, hidden_values, opens
from scriba.ledger.record import record_bytes
from scriba.ledger.seal import EMPTY_HEAD, Head
from scriba.merkle.tree import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from scriba.ledger.origin import Origin

__all__ = ["MAX_FINDINGS", "Finding", "Verification", "verify_log"]

MAX_FINDINGS: Final = 100
"""Findings that are kept; later ones are only counted."""

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
    """The result of verifying a log: how many records it has, their root, and what was found."""

    records: int
    root: bytes
    findings: tuple[Finding, ...]
    further: int
    """Findings beyond those that were kept."""

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
) -> Verification:
    """Verify all records of a log, in their order, against its head.

    :param erased: whether an erasure of this field of the record with this seq is on record
    """
    return _Pass(head, origin, erased).run(records)


class _Pass:
    """One pass over a log."""

    def __init__(self, head: Head, origin: Origin, erased: Callable[[int, str], bool]) -> None:
        self._head = head
        self._origin = origin
        self._erased = erased
        self._found: list[Finding] = []
        self._further = 0

    def run(self, records: Iterable[Stored]) -> Verification:
        reached = EMPTY_HEAD
        expected = 0
        for stored in records:
            if stored.seq != expected:
                self._report(
                    expected, "seq", f"Record {expected} is not where it should be: seq is {stored.seq} in its place."
                )
            self._check_record(stored, reached)
            # The stored hash goes into the root, so that an edited record is one finding and not two.
            reached = reached.append([stored.leaf_hash], max(reached.last_time, stored.log_time))
            expected = stored.seq + 1
        self._check_head(reached)
        return Verification(reached.size, reached.root(), tuple(self._found), self._further)

    def _check_record(self, stored: Stored, before: Head) -> None:
        seq = stored.seq
        try:
            intact = leaf_hash(record_bytes(stored)) == stored.leaf_hash
        except (InvalidRecord, InvalidTimestamp) as error:
            field = error.field if isinstance(error, InvalidRecord) else "timestamp"
            self._report(seq, field, f"Record {seq} cannot be what was logged: {error}.")
        else:
            if not intact:
                self._report(
                    seq, "record", f"Record {seq} was changed: its fields do not give the hash that was logged."
                )
        if stored.log_time < before.last_time:
            self._report(
                seq,
                "timestamp",
                f"Record {seq} goes back in time: timestamp is before {_time(before.last_time)}, the record before it.",
            )
        for field, message in self._misplacements(stored, first=before.size == 0):
            self._report(seq, field, f"Record {seq} does not belong here: {message}.")
        self._check_openings(stored)

    def _misplacements(self, stored: Stored, *, first: bool) -> Iterator[tuple[str, str]]:
        record = stored.record
        kind = form_of(record).type
        if first != isinstance(record, LogStart):
            yield "type", f"type is {kind}, and a record of the type log stands first and nowhere else"
        elif kind not in _TYPES.get(self._origin.log, ()):
            yield "type", f"type is {kind}, which the log {self._origin.log} does not hold"
        if isinstance(record, LogStart) and record.origin != str(self._origin):
            yield "origin", f"origin is {record.origin}, and this is the log {self._origin}"
        if isinstance(record, LogStart | Decision) and record.org_id != self._origin.org_id:
            yield "orgId", f"orgId is {record.org_id or 'absent'}, and this is the log {self._origin}"
        if isinstance(record, Decision) and (record.timestamp is not None) != (self._origin.log == "imports"):
            yield "source", f"source is {record.source}, which the log {self._origin.log} does not hold"

    def _check_openings(self, stored: Stored) -> None:
        """Where commitments were kept beside the values, the two must fit; what is missing must have been erased."""
        seq = stored.seq
        values = hidden_values(stored.record.hidden if isinstance(stored.record, Decision | Event) else Hidden())
        for name, commitment in stored.commitments.items():
            if name not in values:
                if not self._erased(seq, name):
                    self._report(
                        seq, name, f"Record {seq} misses the value of {name}, and no erasure of it is on record."
                    )
                continue
            try:
                key = (
                    bytes.fromhex(stored.field_keys[name])
                    if name in stored.field_keys
                    else field_key(stored.salt, name)
                )
                opened = opens(commitment, key, values[name])
            except ValueError:
                opened = False
            if not opened:
                self._report(
                    seq, name, f"Record {seq} was changed: the value of {name} is not the one that was logged."
                )

    def _check_head(self, reached: Head) -> None:
        head = self._head
        if reached.size != head.size:
            lost = min(reached.size, head.size)
            self._report(
                lost,
                "seq",
                f"The log has {reached.size} records and its head says {head.size}: they part at seq {lost}.",
            )
        elif reached.frontier != head.frontier:
            self._report(None, "root", "The records do not add up to the root hash in the head of the log.")
        elif reached.last_time != head.last_time:
            self._report(
                head.size - 1,
                "timestamp",
                f"The head of the log says that record {head.size - 1} was logged at another time.",
            )

    def _report(self, seq: int | None, field: str, message: str) -> None:
        if len(self._found) < MAX_FINDINGS:
            self._found.append(Finding(seq, field, message))
        else:
            self._further += 1


def _time(micros: int) -> str:
    try:
        return format_timestamp(micros)
    except InvalidTimestamp:
        return f"{micros} microseconds"
