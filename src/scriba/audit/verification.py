"""Verifying the logs as they are stored.

A log is read with its head in one snapshot, row by row, in constant memory. Whoever verifies again and again reads
only what is new, and everything from time to time: what is stored may have been changed since. A log from which
something was purged is read from there on, and the log `admin` has to say that it was purged in due time. How long the
entries of an organisation had to be kept at first stands in the deployment's own log, which is verified for it.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing, nullcontext
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import select

from scriba.audit.purged import Beginning, RetentionEvents, days_at_first
from scriba.audit.repeated import find_repeated_ids
from scriba.audit.stored import stored_records
from scriba.errors import IntegrityError, NotFound
from scriba.ledger.batches import ImportBatches
from scriba.ledger.origin import parse_origin
from scriba.ledger.seal import EMPTY_HEAD, Head, check_seal, load_beginning, load_head
from scriba.ledger.verifier import MAX_FINDINGS, Finding, Verification
from scriba.ledger.verifier import verify_log as verify_records
from scriba.storage.model import LogId, LogName
from scriba.storage.tables import documents, logs, records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Row

    from scriba.domain.record import Stored
    from scriba.ledger.keyring import Keyring
    from scriba.storage.database import Database

__all__ = ["DEPLOYMENT", "Verifier", "verify_log", "verify_logs"]

DEPLOYMENT: Final = LogId("", LogName.ADMIN)
"""The deployment's own log."""

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
    witnesses = None
    if any(verified.begins_late for verified in read.values()):
        admin = read.get(LogName.ADMIN) or _Reading(database, keyring, LogId(org_id, LogName.ADMIN)).verify()
        witnesses = _Witnesses(admin, _Reading(database, keyring, DEPLOYMENT).verify())
    elif LogName.ADMIN in read:
        witnesses = _Witnesses(read[LogName.ADMIN], None)
    return {name.value: _judged(database, org_id, read[name], witnesses) for name in names}


class Verifier:
    """Verifies the logs of organisations, again and again. Threads may share it; one verifies at a time.

    :param full_seconds: how long to go without reading everything
    :param progress: called from time to time with the records read of a log and the records it has; what it raises ends
        the verification
    """

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        full_seconds: float = _FULL_SECONDS,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._full_seconds = full_seconds
        self._progress = progress
        self._known: dict[LogId, _Verified] = {}
        self._full_due: dict[LogId, float] = {}
        self._largest: dict[LogId, int] = {}
        self._lock = threading.Lock()

    def verify(self, org_id: str) -> Mapping[str, Verification]:
        """Verify the logs of an organisation; returns the result for each by its name.

        :param org_id: empty for the deployment, which has the log `admin` alone
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
        names = LogName if org_id else (LogName.ADMIN,)
        read = {name: self._read(LogId(org_id, name), again=again) for name in names}
        begins_late = any(verified.begins_late for verified in read.values())
        witnesses = _Witnesses(read[LogName.ADMIN], self._read(DEPLOYMENT, again=again) if begins_late else None)
        judged = {name: _judged(self._database, org_id, verified, witnesses) for name, verified in read.items()}
        return {
            name.value: self._with_losses(LogId(org_id, name), read[name].head.size, result)
            for name, result in judged.items()
        }

    def _to_read(self, org_id: str) -> tuple[int, int]:
        """Return how many records the logs hold, and how many of them were not verified here yet."""
        this = logs.c.org_id.in_([org_id, DEPLOYMENT.org_id]) & logs.c.frozen.is_(False)
        with self._database.read() as connection:
            columns = (logs.c.org_id, logs.c.log, logs.c.size, logs.c.first_seq)
            rows = connection.execute(select(*columns).where(this)).all()
        begins_late = any(row.first_seq for row in rows)
        whole = newer = 0
        for row in rows:
            if row.org_id != org_id and not begins_late:
                continue
            known = self._known.get(LogId(row.org_id, LogName(row.log)))
            whole += row.size - row.first_seq
            newer += row.size - (known.head.size if known is not None and known.result.ok else row.first_seq)
        return whole, newer

    def _read(self, log: LogId, *, again: bool) -> _Verified:
        known = self._known.get(log)
        reading = _Reading(self._database, self._keyring, log, self._progress)
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
    batches: ImportBatches

    @property
    def begins_late(self) -> bool:
        return self.beginning is not None and self.beginning.first_seq > 0


class _Witnesses(NamedTuple):
    """What a purge is judged by: the organisation's log `admin`, and the deployment's if it was needed."""

    admin: _Verified
    deployment: _Verified | None


def _judged(database: Database, org_id: str, verified: _Verified, witnesses: _Witnesses | None) -> Verification:
    """Add to the result for a log whether the logs `admin` explain what is missing at its beginning."""
    if verified.beginning is None or witnesses is None:
        return verified.result
    at_first = None
    if verified.begins_late and witnesses.deployment is not None:
        at_first = _days_at_first(database, org_id, witnesses.deployment)
    findings = tuple(witnesses.admin.events.examine(verified.beginning, at_first))
    if verified.begins_late and not all(one.result.ok for one in witnesses if one is not None):
        message = "The log admin is not as it was written, so nobody can tell whether the purge was right."
        findings = (*findings, Finding(None, "firstSeq", message))
    return verified.result._replace(findings=verified.result.findings + findings)


def _days_at_first(database: Database, org_id: str, deployment: _Verified) -> int | None:
    """Return how long entries had to be kept by the document that the organisation was created with."""
    digest = deployment.events.created(org_id)
    with database.read() as connection:
        body = connection.execute(select(documents.c.body).where(documents.c.sha256 == digest)).scalar_one_or_none()
    if body is None or sha256(bytes(body)).hexdigest() != digest:
        return None
    return days_at_first(bytes(body))


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
            events, batches, purged = RetentionEvents(), ImportBatches(), start.size
            if known is not None and known.head.size <= head.size and known.result.purged == purged:
                start, events, batches = known.head, known.events.copy(), known.batches.copy()
            beside: list[Finding] = []
            stored = self._stored(connection, row.id, start.size, head.size, found=beside, notes=(events, batches))
            result = verify_records(stored, head, parse_origin(row.origin), verified=start, purged=purged)
            if self._log.log is LogName.IMPORTS and start.size < head.size:
                beside.extend(batches.end(head.size))
                beside.extend(find_repeated_ids(connection, row.id, start.size, purged))
        findings += tuple(beside[:MAX_FINDINGS]) + result.findings
        further = result.further + len(beside[MAX_FINDINGS:])
        return _Verified(head, result._replace(findings=findings, further=further), beginning, events, batches)

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
        return Beginning(
            origin=row.origin,
            first_seq=first_seq,
            mark_time=connection.execute(mark).scalar_one_or_none(),
            admin_size=connection.execute(select(logs.c.size).where(of_org)).scalar_one(),
        )

    def _stored(
        self,
        connection: Connection,
        log_id: int,
        first: int,
        size: int,
        *,
        found: list[Finding],
        notes: tuple[RetentionEvents, ImportBatches],
    ) -> Iterator[Stored]:
        """Yield the records from `first` on. What is wrong with a row, or with the batch it stands in, is added."""
        events, batches = notes
        holds_batches = self._log.log is LogName.IMPORTS
        with closing(stored_records(connection, log_id, self._log.org_id, first, chunk=_CHUNK)) as rows:
            for number, (stored, findings) in enumerate(rows, first + 1):
                found.extend(findings)
                events.note(stored)
                if holds_batches:
                    found.extend(batches.examine(stored))
                yield stored
                if self._progress is not None and (number % _CHUNK == 0 or number == size):
                    self._progress(number, size)
