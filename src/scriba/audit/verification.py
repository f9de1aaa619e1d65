"""Verifying the logs as they are stored.

A log is read with its head in one snapshot, row by row, in constant memory. Whoever verifies again and again reads
only what is new, and everything from time to time: what is stored may have been changed since.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import select

from scriba.audit.stored import stored_records
from scriba.errors import IntegrityError, NotFound
from scriba.ledger.origin import parse_origin
from scriba.ledger.seal import EMPTY_HEAD, Head, check_seal, load_head
from scriba.ledger.verifier import MAX_FINDINGS, Finding, Verification
from scriba.ledger.verifier import verify_log as verify_records
from scriba.storage.model import LogId, LogName
from scriba.storage.tables import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy import Connection, Row

    from scriba.domain.record import Stored
    from scriba.ledger.keyring import Keyring
    from scriba.storage.database import Database

__all__ = ["Verifier", "verify_log"]

_CHUNK: Final = 1_000
_FULL_SECONDS: Final = 60.0
_FULL_SHARE: Final = 20
"""Reading everything that took one second is not done again for this many seconds, and at least `_FULL_SECONDS`."""


def verify_log(
    database: Database, keyring: Keyring, log: LogId, progress: Callable[[int, int], None] | None = None
) -> Verification:
    """Verify a whole log: every record, the root, and the seal of its head.

    :param progress: called from time to time with the records read so far and the records there are
    :raises NotFound: there is no such log
    :raises StoreUnreachable: the database does not answer
    """
    return _Reading(database, keyring, log, progress).verify(EMPTY_HEAD).result


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
            return {name.value: self._verify(LogId(org_id, name)) for name in LogName}

    def _verify(self, log: LogId) -> Verification:
        known = self._known.get(log)
        reading = _Reading(self._database, self._keyring, log)
        if known is None or not known.result.ok or time.monotonic() >= self._full_due[log]:
            verified = self._read_all(log, reading)
        else:
            verified = reading.verify(known.head)
        self._known[log] = verified
        return self._with_losses(log, verified)

    def _read_all(self, log: LogId, reading: _Reading) -> _Verified:
        started = time.monotonic()
        verified = reading.verify(EMPTY_HEAD)
        ended = time.monotonic()
        self._full_due[log] = ended + max(self._full_seconds, (ended - started) * _FULL_SHARE)
        return verified

    def _with_losses(self, log: LogId, verified: _Verified) -> Verification:
        """Add what only somebody who has seen more of the log can know."""
        size = verified.head.size
        largest = self._largest[log] = max(size, self._largest.get(log, 0))
        if size == largest:
            return verified.result
        lost = Finding(size, "seq", f"The log has {size} records and had {largest} before: the last ones are gone.")
        return verified.result._replace(findings=(*verified.result.findings, lost))


class _Verified(NamedTuple):
    """The result for a log, and the head in the database that it was verified against."""

    head: Head
    result: Verification


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

    def verify(self, verified: Head) -> _Verified:
        """Verify what follows a head that was verified before; all of the log if it has become smaller."""
        with self._database.read() as connection:
            row = self._head_row(connection)
            head = Head(row.size, row.last_time, ())
            findings: tuple[Finding, ...] = ()
            try:
                head = load_head(row.size, row.last_time, bytes(row.frontier))
                check_seal(head, self._keyring.of(row.origin).head_key, bytes(row.seal))
            except IntegrityError as error:
                findings = (Finding(None, "seal", str(error)),)
            start = verified if verified.size <= head.size else EMPTY_HEAD
            misfiled: list[Finding] = []
            stored = self._stored(connection, row.id, start.size, head.size, misfiled)
            result = verify_records(stored, head, parse_origin(row.origin), verified=start)
        findings += tuple(misfiled[:MAX_FINDINGS]) + result.findings
        further = result.further + len(misfiled[MAX_FINDINGS:])
        return _Verified(head, result._replace(findings=findings, further=further))

    def _head_row(self, connection: Connection) -> Row[Any]:
        this = (logs.c.org_id == self._log.org_id) & (logs.c.log == self._log.log.value) & logs.c.frozen.is_(False)
        row = connection.execute(select(logs).where(this)).one_or_none()
        if row is None:
            raise NotFound(f"There is no log {self._log.log.value!r} of {self._log.org_id or 'the deployment'}.")
        return row

    def _stored(
        self, connection: Connection, log_id: int, first: int, size: int, misfiled: list[Finding]
    ) -> Iterator[Stored]:
        rows = stored_records(connection, log_id, self._log.org_id, first, chunk=_CHUNK)
        for number, (stored, findings) in enumerate(rows, first + 1):
            misfiled.extend(findings)
            yield stored
            if self._progress is not None and (number % _CHUNK == 0 or number == size):
                self._progress(number, size)
