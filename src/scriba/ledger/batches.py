"""Whether the batches of a log `imports` fit their headers: what the records alone can show, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from scriba.domain.record import Decision, ImportBatch
from scriba.ledger.verifier import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scriba.domain.record import Stored

__all__ = ["ImportBatches"]


class _Open(msgspec.Struct):
    """A batch that is being read: its header, where that stands, how many records are to come, the latest time."""

    seq: int
    header: ImportBatch
    left: int
    latest: int


class ImportBatches:
    """Follows the records of a log `imports`: a header, then exactly as many decisions as it says, by their timestamps.

    Constant memory. A log that was purged begins between two batches.
    """

    def __init__(self) -> None:
        self._open: _Open | None = None

    def copy(self) -> ImportBatches:
        """Return one that goes on from the same place."""
        other = ImportBatches()
        other._open = None if self._open is None else msgspec.structs.replace(self._open)
        return other

    def examine(self, stored: Stored) -> Iterator[Finding]:
        """Yield what the next record makes wrong about its batch."""
        record, batch = stored.record, self._open
        if isinstance(record, ImportBatch):
            yield from self.end(stored.seq)
            if record.count:
                self._open = _Open(stored.seq, record, record.count, record.first_timestamp)
        elif batch is not None:
            # A record of another type takes the place of a decision, so that one edited row is not told for each after.
            yield from _examine_in(batch, stored)
            batch.left -= 1
            if not batch.left:
                self._open = None
        elif isinstance(record, Decision):
            yield Finding(stored.seq, "count", f"Record {stored.seq} is a decision that no header of an import counts.")

    def end(self, seq: int) -> Iterator[Finding]:
        """Yield what is wrong if the batch, or the log, ends before the record with this seq."""
        if self._open is not None:
            batch, self._open = self._open, None
            found = batch.header.count - batch.left
            message = (
                f"The import at record {batch.seq} has {found} decisions, and its header says {batch.header.count}."
            )
            yield Finding(seq, "count", message)


def _examine_in(batch: _Open, stored: Stored) -> Iterator[Finding]:
    """Yield what is wrong with one record of a batch."""
    record, header = stored.record, batch.header
    if not isinstance(record, Decision):
        message = f"Record {stored.seq} is no decision, and stands among those of the import at record {batch.seq}."
        yield Finding(stored.seq, "type", message)
        return
    time = record.timestamp or 0
    is_first, is_last = batch.left == header.count, batch.left == 1
    if time < batch.latest:
        message = f"Record {stored.seq} has an earlier timestamp than a record before it in its import, or its header."
        yield Finding(stored.seq, "timestamp", message)
    elif (is_first and time != header.first_timestamp) or (is_last and time != header.last_timestamp):
        end = "first" if is_first and time != header.first_timestamp else "last"
        message = f"Record {stored.seq} is the {end} of the import at record {batch.seq}, which has another time."
        yield Finding(stored.seq, "timestamp", message)
    elif time > header.last_timestamp:
        message = f"Record {stored.seq} has a later timestamp than its import has by its header."
        yield Finding(stored.seq, "timestamp", message)
    batch.latest = max(batch.latest, time)
