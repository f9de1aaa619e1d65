"""Who was refused, written down without letting a flood of refusals flood the log.

Refusals are counted in memory by organisation, key and cause, and written once a minute: an `access.refused` or
`request.refused` event in the organisation's `admin` log says how many there were and between which moments. All
unknown keys together are one event of the deployment's own log, with a few of the addresses that they came from, and
so are all login links of the console that open nothing.

Each process counts for itself. One that is killed loses what it counted since the last minute; the log of requests
never depends on it.
"""

from __future__ import annotations

import logging
import threading
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from scriba.auth import KeyEnded, KeyMissing, LinkSpent, WrongRole
from scriba.domain.timestamp import format_timestamp
from scriba.errors import (
    BodyTooLarge,
    InvalidInput,
    PermissionDenied,
    ScribaError,
    Unauthenticated,
    UnsupportedMedia,
)
from scriba.metrics import count_failure, count_refusal
from scriba.storage.events import Journal
from scriba.storage.model import Actor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scriba.auth import Principal
    from scriba.storage.database import Database
    from scriba.storage.hot import HotLogs

__all__ = ["FLUSH_SECONDS", "MAX_ADDRESSES", "MAX_TALLIES", "AccessFailures", "Cause"]

FLUSH_SECONDS: Final = 60.0
"""How often what was counted is written."""

MAX_ADDRESSES: Final = 5
"""Addresses that one event names."""

MAX_TALLIES: Final = 10_000
"""Counts that are kept apart in memory; beyond it the further keys of an organisation share one."""

_log: Final = logging.getLogger("scriba.access")


class Cause(StrEnum):
    """Why a request was refused: the first six for its key or its link, the others for its input."""

    UNKNOWN = "unknown_key"
    REVOKED = "revoked_key"
    EXPIRED = "expired_key"
    LINK = "unknown_login_link"
    ROLE = "wrong_role"
    NOT_ALLOWED = "not_allowed"
    MALFORMED = "malformed_body"
    NO_MODEL = "no_model"
    TOO_LARGE = "body_too_large"
    MEDIA = "unsupported_media_type"
    INVALID = "invalid_input"


_ACCESS: Final = frozenset({Cause.UNKNOWN, Cause.REVOKED, Cause.EXPIRED, Cause.LINK, Cause.ROLE, Cause.NOT_ALLOWED})


class _Bucket(NamedTuple):
    """What is counted apart. All unknown keys and links are of no organisation."""

    org_id: str
    key_id: str
    cause: Cause


class _Tally(msgspec.Struct):
    """How often, between which moments (microseconds since 1970), and from where at first."""

    count: int
    first: int
    last: int
    addresses: dict[str, None]

    def add(self, other: _Tally) -> None:
        """Take another one in."""
        self.count += other.count
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)
        for address in other.addresses:
            if len(self.addresses) < MAX_ADDRESSES:
                self.addresses[address] = None


class AccessFailures:
    """Counts refusals and writes the counts down. One for each process; may be shared between threads.

    `_lock` guards `_tallies`; `_writing` lets one thread write at a time.
    """

    def __init__(self, database: Database, hot: HotLogs) -> None:
        self._database = database
        self._journal = Journal(hot)
        self._tallies: dict[_Bucket, _Tally] = {}
        self._lock = threading.Lock()
        self._writing = threading.Lock()

    def note(self, error: ScribaError, address: str, principal: Principal | None = None) -> None:
        """Count a refusal, if it is one for the key or, where the key was good, for the input. Never blocks for long.

        :param address: of whoever asked
        :param principal: whose key it was, once that is known
        """
        if isinstance(error, KeyMissing):
            count_failure("missing_key")  # nobody tried anything; the log would only repeat what scanners do
            return
        bucket = _bucket_of(error, principal)
        if bucket is None:
            return
        if bucket.cause in _ACCESS:
            count_failure(bucket.cause)
        else:
            count_refusal(bucket.cause)
        now = time.time_ns() // 1000
        self._take([(bucket, _Tally(1, now, now, {address: None} if address else {}))])

    def flush(self) -> None:
        """Write what was counted. Blocks. What cannot be written now is kept for the next time."""
        with self._writing:
            with self._lock:
                taken, self._tallies = self._tallies, {}
            for org_id in sorted({bucket.org_id for bucket in taken}):
                of_one = [(bucket, tally) for bucket, tally in taken.items() if bucket.org_id == org_id]
                try:
                    self._write(of_one)
                except ScribaError as error:
                    self._take(of_one)
                    _log.warning("Refused requests could not be written down yet: %s", error)
                except Exception:  # noqa: BLE001 - the edge of a task that must go on
                    _log.exception("The refused requests of %s could not be written down.", org_id or "nobody known")

    def _take(self, tallies: Iterable[tuple[_Bucket, _Tally]]) -> None:
        with self._lock:
            for bucket, tally in tallies:
                found = self._tallies.get(bucket)
                if found is None and len(self._tallies) >= MAX_TALLIES:
                    bucket = bucket._replace(key_id="")  # noqa: PLW2901 - from here on it is counted as this one
                    found = self._tallies.get(bucket)
                if found is None:
                    self._tallies[bucket] = tally
                else:
                    found.add(tally)

    def _write(self, tallies: Iterable[tuple[_Bucket, _Tally]]) -> None:
        """Write the counts of one organisation in one transaction, so that only one head is locked at a time."""
        with self._database.write() as connection:
            for bucket, tally in tallies:
                action = "access.refused" if bucket.cause in _ACCESS else "request.refused"
                actor = Actor(name=bucket.key_id, ip_address=", ".join(tally.addresses))
                self._journal.write(
                    connection,
                    action,
                    bucket.key_id,
                    actor=actor,
                    org_id=bucket.org_id,
                    facts={
                        "cause": str(bucket.cause),
                        "count": tally.count,
                        "first": format_timestamp(tally.first),
                        "last": format_timestamp(tally.last),
                    },
                )


def _bucket_of(error: ScribaError, principal: Principal | None) -> _Bucket | None:
    """Return where to count an error; None for what is no refusal."""
    if isinstance(error, KeyEnded):
        return _Bucket(error.org_id, error.key_id, Cause.EXPIRED if error.is_expired else Cause.REVOKED)
    if isinstance(error, WrongRole):
        return _Bucket(error.org_id, error.key_id, Cause.ROLE)
    if isinstance(error, Unauthenticated):
        return _Bucket("", "", Cause.LINK if isinstance(error, LinkSpent) else Cause.UNKNOWN)
    cause = None if principal is None else _cause_of_input(error)
    return None if principal is None or cause is None else _Bucket(principal.org_id, principal.key_id, cause)


def _cause_of_input(error: ScribaError) -> Cause | None:
    if isinstance(error, PermissionDenied):
        return Cause.NOT_ALLOWED
    if isinstance(error, BodyTooLarge):
        return Cause.TOO_LARGE
    if isinstance(error, UnsupportedMedia):
        return Cause.MEDIA
    if isinstance(error, InvalidInput):
        named = {"body": Cause.MALFORMED, "model": Cause.NO_MODEL}
        return named.get(error.param or "", Cause.INVALID)
    return None
