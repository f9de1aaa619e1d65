"""Verifying the logs as they are stored.

A log is read with its head in one snapshot, row by row, in constant memory. Whoever verifies again and again reads
only what is new, and everything from time to time: what is stored may have been changed since. A log from which
something was purged is read from there on, and the log `admin` has to say that it was purged in due time.
"""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import select

from scriba.audit.purged import Beginning, RetentionEvents
from scriba.audit.stored import stored_records
from scriba.errors import IntegrityError, NotFound
from scriba.ledger.origin import parse_origin
from scriba.ledger.seal import EMPTY_HEAD, Head, check_seal, load_beginning, load_head
from scriba.ledger.verifier import MAX_FINDINGS, Finding, Verification
from scriba.ledger.verifier import verify_log as verify_records
from scriba.storage.control_rows import organisation_of
from scriba.storage.model import LogId, LogName
from scriba.storage.tables import logs, organisations, records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Row

    from scriba.domain.record import Stored
    from scriba.ledger.keyring import Keyring
    from scriba.storage.database import Database

__all__ = ["Verifier", "verify_log", "verify_logs"]

_CHUNK: Final = 1_000
_FULL_SECONDS: Final = 60.0
_FULL_SHARE: Final = 20
"""Reading everything that took one second is not done again for this many seconds, and at least `_FULL_SECONDS`."""


def verify_log(
    database: Database, keyring: Keyring, log: LogId, progress: Callable[[int, int], None] | None = None
) -> Verification:
    """Verify a whole log: every record, the root, the seal of its head, and that what is missing was rightly purged.

    :param progress: called from time to time with the records read so far and the records there are
    :raises NotFound: there is no such log
    :raises StoreUnreachable: the database does not answer
    """
    return verify_logs(database, keyring, log.org_id, [log.log], lambda _: nullcontext(progress))[log.log.value]


def verify_logs(
    database: Database,
    keyring: Keyring,
    org_id: str,
    names: Sequence[LogName],
    watch: Callable[[LogName], AbstractContextManager[Callable[[int, int], None] | None]],
) -> Mapping[str, Verification]:
    """Verify several logs of an organisation in the same way; returns the result for each by its name.

    :param watch: opens what is told the progress of a log
    :raises NotFound: there is no such log
    :raises StoreUnreachable: the database does not answer
    """
    read: dict[LogName, _Verified] = {}
    # What a purge is judged by is read last: it can have grown by then, but not have lost anything.
    for name in sorted(names, key=lambda name: name is LogName.ADMIN):
        with watch(name) as progress:
            read[name] = _Reading(database, keyring, LogId(org_id, name), progress).verify()
    if LogName.ADMIN not in read and any(verified.begins_late for verified in read.values()):
        read[LogName.ADMIN] = _Reading(database, keyring, LogId(org_id, LogName.ADMIN)).verify()
    admin = read.get(LogName.ADMIN)
    return {name.value: _judged(read[name], admin) for name in names}


class Verifier:
    """Verifies the logs of organisations, again and again. Threads may share it; one verifies at a time.

    :param full_seconds: how long to go without reading everything
    """

    def __init__(self, database: Database, keyring: Keyring, full_seconds: float = _FULL_SECONDS) -> None:
        self._database = database
        self._keyring = keyring
        self._full_seconds = full_seconds
        self._known: dict[LogId, _Verified] = {}
        self._full_due: dict[LogId, float] = {}
        self._largest: dict[LogId, int] = {}
        self._lock = threading.Lock()

    def verify(self, org_id: str) -> Mapping[str, Verification]:
        """Verify the logs of an organisation; returns the result for each by its name.

        :raises NotFound: there is no such organisation
        :raises StoreUnreachable: the database does not answer
        """
        with self._lock:
            return self._verify(org_id, again=True)

    def verify_newer(self, org_id: str, most: int) -> Mapping[str, Verification] | None:
        """Verify the logs of an organisation if at most `most` records have to be read for it; None otherwise.

        What was verified before is read again from time to time if all of it is no more than that.

        :raises NotFound: there is no such organisation
        :raises StoreUnreachable: the database does not answer
        """
        with self._lock:
            whole, newer = self._to_read(org_id)
            return None if newer > most else self._verify(org_id, again=whole <= most)

    def _verify(self, org_id: str, *, again: bool) -> Mapping[str, Verification]:
        # `admin` last, as in `verify_logs`.
        read = {name: self._read(LogId(org_id, name), again=again) for name in LogName}
        judged = {name: _judged(verified, read[LogName.ADMIN]) for name, verified in read.items()}
        return {
            name.value: self._with_losses(LogId(org_id, name), read[name].head.size, result)
            for name, result in judged.items()
        }

    def _to_read(self, org_id: str) -> tuple[int, int]:
        """Return how many records the logs hold, and how many of them were not verified here yet."""
        this = (logs.c.org_id == org_id) & logs.c.frozen.is_(False)
        with self._database.read() as connection:
            rows = connection.execute(select(logs.c.log, logs.c.size, logs.c.first_seq).where(this)).all()
        whole = newer = 0
        for row in rows:
            known = self._known.get(LogId(org_id, LogName(row.log)))
            whole += row.size - row.first_seq
            newer += row.size - (known.head.size if known is not None and known.result.ok else row.first_seq)
        return whole, newer

    def _read(self, log: LogId, *, again: bool) -> _Verified:
        known = self._known.get(log)
        reading = _Reading(self._database, self._keyring, log)
        if known is None or not known.result.ok or (again and time.monotonic() >= self._full_due[log]):
            verified = self._read_all(log, reading)
        else:
            verified = reading.verify(known)
        self._known[log] = verified
        return verified

    def _read_all(self, log: LogId, reading: _Reading) -> _Verified:
        started = time.monotonic()
        verified = reading.verify()
        ended = time.monotonic()
        self._full_due[log] = ended + max(self._full_seconds, (ended - started) * _FULL_SHARE)
        return verified

    def _with_losses(self, log: LogId, size: int, result: Verification) -> Verification:
        """Add what only somebody who has seen more of the log can know."""
        largest = self._largest[log] = max(size, self._largest.get(log, 0))
        if size == largest:
            return result
        lost = Finding(size, "seq", f"The log has {size} records and had {largest} before: the last ones are gone.")
        return result._replace(findings=(*result.findings, lost))


class _Verified(NamedTuple):
    """The result for a log, and the head in the database that it was verified against.

    `beginning` is None for `admin`, which is never purged; `events` is what an `admin` log says about retention.
    """

    head: Head
    result: Verification
    beginning: Beginning | None
    events: RetentionEvents

    @property
    def begins_late(self) -> bool:
        return self.beginning is not None and self.beginning.first_seq > 0


def _judged(verified: _Verified, admin: _Verified | None) -> Verification:
    """Add to the result for a log whether its `admin` log explains what is missing at its beginning."""
    if verified.beginning is None or admin is None:
        return verified.result
    findings = tuple(admin.events.examine(verified.beginning))
    if verified.begins_late and not admin.result.ok:
        message = "The log admin is not as it was written, so nobody can tell whether the purge was right."
        findings = (*findings, Finding(None, "firstSeq", message))
    return verified.result._replace(findings=verified.result.findings + findings)


class _Reading:
    """Reads one log with its head, in one snapshot, and verifies it."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        log: LogId,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._log = log
        self._progress = progress

    def verify(self, known: _Verified | None = None) -> _Verified:
        """Verify what follows a verification before; all of the log if it has become smaller, or begins elsewhere."""
        with self._database.read() as connection:
            row = self._head_row(connection)
            head, start, findings = self._heads(row)
            beginning = self._beginning(connection, row, start.size)
            events, purged = RetentionEvents(), start.size
            if known is not None and known.head.size <= head.size and known.result.purged == purged:
                start, events = known.head, known.events
            misfiled: list[Finding] = []
            stored = self._stored(connection, row.id, start.size, head.size, misfiled=misfiled, events=events)
            result = verify_records(stored, head, parse_origin(row.origin), verified=start, purged=purged)
        findings += tuple(misfiled[:MAX_FINDINGS]) + result.findings
        further = result.further + len(misfiled[MAX_FINDINGS:])
        return _Verified(head, result._replace(findings=findings, further=further), beginning, events)

    def _head_row(self, connection: Connection) -> Row[Any]:
        this = (logs.c.org_id == self._log.org_id) & (logs.c.log == self._log.log.value) & logs.c.frozen.is_(False)
        row = connection.execute(select(logs).where(this)).one_or_none()
        if row is None:
            raise NotFound(f"There is no log {self._log.log.value!r} of {self._log.org_id or 'the deployment'}.")
        return row

    def _heads(self, row: Row[Any]) -> tuple[Head, Head, tuple[Finding, ...]]:
        """Return where a log ends and what was purged from it, with what is wrong about that."""
        head, start = Head(row.size, row.last_time, ()), EMPTY_HEAD
        findings: list[Finding] = []
        try:
            head = load_head(row.size, row.last_time, bytes(row.frontier))
            check_seal(head, self._keyring.of(row.origin).head_key, bytes(row.seal))
        except IntegrityError as error:
            findings.append(Finding(None, "seal", str(error)))
        try:
            start = load_beginning(row.first_seq, row.first_frontier, head.size)
        except IntegrityError as error:
            findings.append(Finding(None, "firstSeq", str(error)))
        return head, start, tuple(findings)

    def _beginning(self, connection: Connection, row: Row[Any], first_seq: int) -> Beginning | None:
        if self._log.log is LogName.ADMIN:
            return None
        mark = select(records.c.log_time).where(records.c.log_id == row.id, records.c.seq == first_seq)
        of_org = (logs.c.org_id == self._log.org_id) & (logs.c.log == LogName.ADMIN.value) & logs.c.frozen.is_(False)
        organisation = connection.execute(select(organisations).where(organisations.c.id == self._log.org_id)).one()
        return Beginning(
            origin=row.origin,
            first_seq=first_seq,
            mark_time=connection.execute(mark).scalar_one_or_none(),
            admin_size=connection.execute(select(logs.c.size).where(of_org)).scalar_one(),
            retention=organisation_of(organisation).retention,
        )

    def _stored(
        self,
        connection: Connection,
        log_id: int,
        first: int,
        size: int,
        *,
        misfiled: list[Finding],
        events: RetentionEvents,
    ) -> Iterator[Stored]:
        rows = stored_records(connection, log_id, self._log.org_id, first, chunk=_CHUNK)
        for number, (stored, findings) in enumerate(rows, first + 1):
            misfiled.extend(findings)
            events.note(stored)
            yield stored
            if self._progress is not None and (number % _CHUNK == 0 or number == size):
                self._progress(number, size)
