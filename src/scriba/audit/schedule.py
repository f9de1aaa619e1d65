"""When logs are marked and purged: once a day each, by whichever process of the deployment comes first.

Marks are written soon after midnight UTC, and at the start for a day that was missed. Purges follow at a time of the
night that the deployment's name gives, so that not all deployments of the world begin at once.
"""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING, Final

import msgspec

from scriba.audit.kept import hold_document, read_kept
from scriba.audit.retention import SERVER, Retention
from scriba.audit.rounds import Rounds
from scriba.domain.period import DAY
from scriba.domain.timestamp import format_timestamp
from scriba.errors import ScribaError
from scriba.storage.marks import MARKED, write_marks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scriba.audit.kept import Kept
    from scriba.audit.retention import Purge
    from scriba.storage.control import Control
    from scriba.storage.store import Store

__all__ = ["Housekeeping"]

_FIRST_SECONDS: Final = 60.0
_EVERY_SECONDS: Final = 600.0
_EARLIEST: Final = 15 * 60
_SPREAD: Final = 45 * 60
_log: Final = logging.getLogger("scriba.retention")


class Housekeeping:
    """Marks and purges the logs of a deployment, day after day.

    :ivar rounds: in which it does so, once they are started
    """

    def __init__(self, store: Store, control: Control, lake: Path | None) -> None:
        self._store = store
        self._control = control
        self._archives = lake is not None
        self._marked_day = -1
        self.rounds = Rounds(
            self._work, first_seconds=_FIRST_SECONDS, every_seconds=_EVERY_SECONDS, at_start=self._try_marks
        )
        self.retention = Retention(store, lake, rest=self.rounds.stopping.wait)

    def kept(self, org_id: str) -> Kept:
        """Return how long entries are kept, what is left of them, what is held, and when the next purge is."""
        with self._store.database.read() as connection:
            found = read_kept(connection, org_id)
            now = self._store.database.clock(connection)
        holds = tuple(hold_document(hold) for hold in self.retention.holds.list(org_id, active=True))
        due = self._last_due(now)
        following = due + DAY if self.retention.task().done_at() >= due else now
        return msgspec.structs.replace(
            found,
            holds=holds,
            archive_before_purge=self._archives,
            next_purge_at=format_timestamp(following // 1_000_000 * 1_000_000),
        )

    def mark_days(self) -> None:
        """Write the marks of the day, unless this process has done so."""
        with self._store.database.read() as connection:
            day = self._store.database.clock(connection) // DAY
        if day != self._marked_day:
            write_marks(self._store.database, self._store.hot)
            self._marked_day = day

    def purge_if_due(self) -> Sequence[Purge]:
        """Purge every log, unless that was done or another process is about it."""
        with self._store.database.read() as connection:
            due = self._last_due(self._store.database.clock(connection))
        task = self.retention.task()
        if task.done_at() >= due or not task.take(due):
            return []
        results: list[Purge] = []
        try:
            for org_id in self._control.refresh().organisations:
                for name in MARKED:
                    if self.rounds.stopping.is_set():
                        return results
                    results.append(self.retention.purge_safely(org_id, name, SERVER, lambda *_: task.renew()))
        finally:
            task.give_back(done=not self.rounds.stopping.is_set())
        return results

    def _try_marks(self) -> None:
        try:
            self.mark_days()
        except ScribaError as error:
            _log.error("The logs could not be marked: %s", error)

    def _work(self) -> None:
        self._try_marks()
        try:
            results = self.purge_if_due()
        except ScribaError as error:
            _log.error("The logs could not be purged: %s", error)
            return
        for result in results:
            if result.problem:
                _log.error("The log %s of %s could not be purged: %s", result.log, result.org, result.problem)
            if result.done and result.lost:
                _log.error("%s was purged of records that were not delivered to %s", result.org, ", ".join(result.lost))

    def _last_due(self, now: int) -> int:
        """Return the last time that it was time to purge."""
        digest = hashlib.sha256(self._store.deployment.encode()).digest()
        offset = (_EARLIEST + int.from_bytes(digest[:4]) % _SPREAD) * 1_000_000
        return (now - offset) // DAY * DAY + offset
