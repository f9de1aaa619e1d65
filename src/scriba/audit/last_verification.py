"""The last verification of each log, kept beside the logs, so that who did not make it can speak of it too.

What is kept carries a MAC under a key that is not in the database: whoever changes records there cannot claim that
they were verified. A claim that does not hold counts as none.
"""

from __future__ import annotations

import hmac
import time
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import bindparam, select, text

from scriba.audit.verification import Verifier
from scriba.errors import StoreUnreachable
from scriba.metrics import note_verification
from scriba.storage.tables import logs, verifications

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import Connection

    from scriba.domain.secret import Secret
    from scriba.ledger.keyring import Keyring
    from scriba.ledger.verifier import Verification
    from scriba.storage.database import Database

__all__ = ["LastVerification", "Verifications"]

_TOLD: Final = 5
_KEEP_SECONDS: Final = 60.0
_KEEP: Final = text(
    "INSERT INTO verifications (log_id, verified, mac) VALUES (:log_id, :verified, :mac)"
    " ON CONFLICT (log_id) DO UPDATE SET verified = excluded.verified, mac = excluded.mac"
)
_SELECT: Final = select(verifications).where(verifications.c.log_id.in_(bindparam("log_ids", expanding=True)))


class LastVerification(msgspec.Struct, frozen=True, kw_only=True):
    """How a log was found: records before `size`, at `verified_at` (microseconds since 1970).

    `findings` are the first few of them, in sentences; `count` is how many there were.
    """

    log_id: int
    size: int
    verified_at: int
    findings: tuple[str, ...] = ()
    count: int = 0


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(LastVerification).decode


class Verifications:
    """Verifies the logs of organisations, and keeps what was found. Threads may share it.

    :param verifier: what verifies them, if not one as for whoever watches
    """

    def __init__(self, database: Database, keyring: Keyring, verifier: Verifier | None = None) -> None:
        self._database = database
        self._verifier = verifier or Verifier(database, keyring)
        self._key: Secret[bytes] = keyring.shared_key("verification")
        self._due: dict[str, float] = {}

    def verify(self, org_id: str) -> Mapping[str, Verification]:
        """Verify all logs of an organisation, as `Verifier.verify` does.

        Somebody who watches a log does so every second: unless something is found, one result a minute is kept.
        """
        results = self._verifier.verify(org_id)
        note_verification(is_intact=all(result.ok for result in results.values()))
        is_due = time.monotonic() >= self._due.get(org_id, 0.0)
        if is_due or not all(result.ok for result in results.values()):
            with suppress(StoreUnreachable):  # what was found is told all the same
                self.keep(org_id, results)
                self._due[org_id] = time.monotonic() + _KEEP_SECONDS
        return results

    def verify_newer(self, org_id: str, most: int) -> None:
        """Verify them if no more than `most` records have to be read for it, as `Verifier.verify_newer` does."""
        results = self._verifier.verify_newer(org_id, most)
        if results is not None:
            note_verification(is_intact=all(result.ok for result in results.values()))
            self.keep(org_id, results)

    def keep(self, org_id: str, results: Mapping[str, Verification]) -> None:
        """Keep the results of a verification that was completed just now, by the names of the logs.

        :raises StoreUnreachable: the database cannot be written
        """
        now = time.time_ns() // 1000
        this = (logs.c.org_id == org_id) & logs.c.frozen.is_(False)
        with self._database.write() as connection:
            for row in connection.execute(select(logs.c.id, logs.c.log).where(this)).all():
                if row.log in results:
                    self._keep(connection, _last(row.id, results[row.log], now))

    def last(self, connection: Connection, log_ids: Collection[int]) -> Mapping[int, LastVerification]:
        """Return the last verification of each of these logs that was ever verified, by its id."""
        found: dict[int, LastVerification] = {}
        for row in connection.execute(_SELECT, {"log_ids": list(log_ids)}):
            verified = bytes(row.verified)
            if not hmac.compare_digest(self._mac(verified), bytes(row.mac)):
                continue
            last = _decode(verified)
            if last.log_id == row.log_id:
                found[last.log_id] = last
        return found

    def _keep(self, connection: Connection, last: LastVerification) -> None:
        verified = _encode(last)
        connection.execute(_KEEP, {"log_id": last.log_id, "verified": verified, "mac": self._mac(verified)})

    def _mac(self, verified: bytes) -> bytes:
        return hmac.digest(self._key.reveal(), verified, sha256)


def _last(log_id: int, result: Verification, now: int) -> LastVerification:
    return LastVerification(
        log_id=log_id,
        size=result.records,
        verified_at=now,
        findings=tuple(str(finding) for finding in result.findings[:_TOLD]),
        count=len(result.findings) + result.further,
    )
