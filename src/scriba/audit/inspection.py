"""Verifying every log regularly, by whichever process of a deployment comes first.

What is new is verified every hour and everything once a day, resting after each piece four times as long as it took:
a fifth of the process is what requests can spare. What is found for the first time is an `integrity.failed` event in
the log `admin` of the organisation, from which webhooks follow; each finding is a document that is kept by its hash,
and so is told once. Logs that nothing more can be written to are told of in the operator's log.
"""

from __future__ import annotations

import hashlib
import logging
import time
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from scriba.audit.last_verification import Verifications
from scriba.audit.rounds import Rounds
from scriba.audit.verification import DEPLOYMENT, Verifier
from scriba.errors import ScribaError
from scriba.ledger.canonical import InvalidRecord, check_text, document_json
from scriba.storage.events import Journal, keep_document
from scriba.storage.model import Actor
from scriba.storage.tables import documents, logs
from scriba.storage.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from scriba.ledger.verifier import Finding, Verification
    from scriba.storage.control import Control
    from scriba.storage.store import Store

__all__ = ["FAILED", "Inspection"]

FAILED: Final = "integrity.failed"

FULL_SECONDS: Final = 86_400.0
"""How long everything may go unread."""

_FIRST_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 300.0
_EVERY_SECONDS: Final = 3_600
_OTHERS_WAIT_SECONDS: Final = 900
"""How much longer than who verified last the others wait: it has to read only what is new, and they everything."""

_REST: Final = 4.0
"""How long to rest after a chunk, in parts of the time that it took."""

_MAX_MESSAGE_BYTES: Final = 512
_KIND: Final = "integrity"
_SERVER: Final = Actor(name="server")
_log: Final = logging.getLogger("scriba.integrity")


class _Stopped(Exception):
    """The process is about to end, in the middle of a verification."""


class Inspection:
    """Verifies the logs of a deployment again and again, and tells what it finds.

    :ivar rounds: in which it does so, once they are started
    """

    def __init__(self, store: Store, control: Control) -> None:
        self._database = store.database
        self._control = control
        self._journal = Journal(store.hot)
        self._task = Task(store.database, "verify")
        verifier = Verifier(store.database, store.keyring, FULL_SECONDS, self._rest)
        self._verifications = Verifications(store.database, store.keyring, verifier)
        self.rounds = Rounds(self._work, first_seconds=_FIRST_SECONDS, every_seconds=_LOOK_SECONDS)
        self._chunk_began = time.monotonic()
        self._done_at = 0

    def verify_if_due(self) -> bool:
        """Verify all logs unless that was done within the hour, or another process is about it; returns whether it was.

        :raises StoreUnreachable: the database does not answer
        """
        with self._database.read() as connection:
            now = self._database.clock(connection)
        done_at = self._task.done_at()
        due = now - (_EVERY_SECONDS + (0 if done_at == self._done_at else _OTHERS_WAIT_SECONDS)) * 1_000_000
        if done_at > due or not self._task.take(due + 1):
            return False
        is_done = False
        try:
            for org_id in (DEPLOYMENT.org_id, *self._control.refresh().organisations):
                self._verify(org_id)
            is_done = True
        except _Stopped:
            pass
        finally:
            self._task.give_back(done=is_done)
        self._done_at = self._task.done_at()
        return is_done

    def _verify(self, org_id: str) -> None:
        """Verify the logs of one organisation; what is unforeseen there keeps no other from it."""
        self._chunk_began = time.monotonic()
        try:
            results = self._verifications.verify(org_id)
        except (_Stopped, ScribaError):
            raise
        except Exception:  # noqa: BLE001 - whatever stands in a database that somebody changed
            _log.exception("The logs of %s could not be verified.", org_id or "the deployment")
            return
        self._task.renew()
        for log, result in results.items():
            if not result.ok:
                self._tell(org_id, log, result)

    def _rest(self, _done: int, _size: int) -> None:
        """Let others work, after a chunk."""
        if self.rounds.stopping.wait((time.monotonic() - self._chunk_began) * _REST):
            raise _Stopped
        self._task.renew()
        self._chunk_began = time.monotonic()

    def _tell(self, org_id: str, log: str, result: Verification) -> None:
        """Write down what was not found before."""
        whose = org_id or "the deployment"
        try:
            with self._database.write() as connection:
                this = (logs.c.org_id == org_id) & (logs.c.log == log) & logs.c.frozen.is_(False)
                origin = connection.execute(select(logs.c.origin).where(this)).scalar_one()
                new = _keep_new(connection, origin, result.findings)
                if new:
                    facts = _facts(log, new, result)
                    self._journal.write(connection, FAILED, origin, actor=_SERVER, org_id=org_id, facts=facts)
        except (ScribaError, InvalidRecord) as error:
            told = f"The log {log} of {whose} is not what was written: {result.findings[0]}"
            _log.error("%s Nor could that be written to its log admin: %s", told, error)
            return
        if new:
            _log.error("The log %s of %s is not what was written: %s", log, whose, new[0])

    def _work(self) -> None:
        try:
            self.verify_if_due()
        except ScribaError as error:
            _log.error("The logs could not be verified: %s", error)


def _keep_new(connection: Connection, origin: str, findings: Sequence[Finding]) -> list[Finding]:
    """Keep a document for each finding that there is none for; returns those."""
    new = []
    for finding in _distinct(findings):
        body = document_json({"log": origin, "field": finding.field, "seq": finding.seq})
        known = select(documents.c.sha256).where(documents.c.sha256 == hashlib.sha256(body).hexdigest())
        if connection.execute(known).first() is None:
            keep_document(connection, _KIND, body)
            new.append(finding)
    return new


def _distinct(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Leave out what only follows: where records and head part moves on with every append."""
    has_moved = False
    for finding in findings:
        if finding.field == "seq" and has_moved:
            continue
        has_moved = has_moved or finding.field == "seq"
        yield finding


def _facts(log: str, new: Sequence[Finding], result: Verification) -> dict[str, object]:
    """Return what the event says: where it is, how much there is, and the first of what is new."""
    facts: dict[str, object] = {"log": log, "findings": len(result.findings) + result.further}
    if result.first_bad is not None:
        facts["firstBad"] = result.first_bad
    message = new[0].message.encode("utf-8", "replace")[:_MAX_MESSAGE_BYTES].decode("utf-8", "ignore")
    try:
        check_text(message, "message", _MAX_MESSAGE_BYTES)
    except InvalidRecord:
        return facts  # it quotes what was stored, and that cannot stand in a record
    return facts | {"message": message}
