"""Keeping entries as long as their organisation wants, and no longer.

A purge goes up to the newest mark that is older than the retention. It is put off while a legal hold matches what would
go, and for a week while a webhook has not been told of it. The event about it, in the log `admin`, and the new minimum
index are one transaction; all that can fail before has no effect, and all that can fail after is done by the next run.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from sqlalchemy import func, select

from scriba.audit.archive import Archived, discard_superseded, write_archive
from scriba.audit.purged import PURGED
from scriba.audit.verification import verify_log
from scriba.domain.period import DAY
from scriba.errors import Conflict, IntegrityError
from scriba.storage.control_rows import organisation_of
from scriba.storage.events import Journal
from scriba.storage.holds import Hold, Holds, holds_against
from scriba.storage.marks import MARKED, Place
from scriba.storage.model import Actor, LogId, LogName, Organisation
from scriba.storage.purge import Prefix, delete_purged, find_mark, move_minimum, prove_prefix, webhook_cursors_of
from scriba.storage.tables import logs, organisations, records
from scriba.storage.tasks import HELD_SECONDS, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Row

    from scriba.storage.store import Store

__all__ = ["SERVER", "Purge", "Retention"]

SERVER: Final = Actor(name="server")
"""Who purges when it is time to."""

_WAIT: Final = 7 * DAY
"""How long a purge waits for a webhook that is behind."""

_SAMPLE: Final = 100
_ROW_BYTES: Final = 300  # of numbers, indices and what the database adds


class Purge(msgspec.Struct, frozen=True, kw_only=True):
    """What a purge of one log did, or would do.

    What goes are the records from `first_seq` to the one before the mark `before`, which was logged at `mark_time`:
    `records` of them, with `entries` entries, of about `size` bytes. `before` is None if there is no such mark, and
    nothing goes while there are `holds`. `waits_for` are webhooks that it waits for, `lost` those that it no longer
    waits for. `problem` says why it failed. `swept` counts the rows that were deleted, also for earlier purges.
    """

    org_id: str
    org: str
    log: LogName
    retention_days: int
    cutoff: int
    first_seq: int
    before: int | None = None
    mark_time: int | None = None
    records: int = 0
    entries: int = 0
    size: int = 0
    holds: tuple[Hold, ...] = ()
    waits_for: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    archive: Archived | None = None
    done: bool = False
    swept: int = 0
    problem: str = ""


class _Plan(NamedTuple):
    """What is to be purged of a log, and the row of `logs` that this was found at; `mark` is None for nothing."""

    purge: Purge
    row: Row[Any]
    mark: Place | None


class Retention:
    """Purges the logs of every organisation, and says what a purge would do. Threads may share it.

    :param lake: the folder to archive to; None if what is purged is not to be archived
    :param rest: waits some seconds; between two chunks of deletions
    """

    def __init__(self, store: Store, lake: Path | None, *, rest: Callable[[float], object] = time.sleep) -> None:
        self._store = store
        self._database = store.database
        self._lake = lake
        self._rest = rest
        self._journal = Journal(store.hot)
        self.holds = Holds(store.database, store.hot)

    def plan(self, org_id: str, log: LogName) -> Purge:
        """Return what a purge of a log would do now."""
        with self._database.read() as connection:
            return self._plan(connection, org_id, log).purge

    def purge_each(
        self,
        org_ids: Sequence[str],
        names: Sequence[LogName] = MARKED,
        *,
        actor: Actor,
        progress: Callable[[int, int], None] | None = None,
    ) -> Iterator[Purge]:
        """Purge logs one after the other; one that cannot be purged keeps no other from it.

        :param progress: called with how much is done and how much there is, of each step
        :raises Conflict: another process purges
        """
        task = self.task()
        if not task.take():
            hint = f"One that was killed gives way after {HELD_SECONDS} seconds."
            raise Conflict("Another process is purging already.", hint=hint)
        try:
            for org_id in org_ids:
                for name in names:
                    yield self.purge_safely(org_id, name, actor, _renewing(task, progress))
        finally:
            task.give_back(done=False)

    def task(self) -> Task:
        """Return the task that keeps two processes from purging at once."""
        return Task(self._database, "purge")

    def purge(
        self, org_id: str, log: LogName, *, actor: Actor, progress: Callable[[int, int], None] | None = None
    ) -> Purge:
        """Purge one log.

        :raises IntegrityError: what would be left could not be proved; nothing was purged
        :raises StoreUnreachable: the database or the archive cannot be written
        """
        swept = self._sweep_leftovers(org_id, log, progress)
        with self._database.read() as connection:
            planned, row, mark = self._plan(connection, org_id, log)
            if mark is None or planned.holds:
                return msgspec.structs.replace(planned, swept=swept)
            prefix = prove_prefix(connection, self._store.keyring, row, mark, progress)
            archive = write_archive(connection, prefix, self._lake) if self._lake else None
        decided = self._decide(msgspec.structs.replace(planned, archive=archive), prefix, actor)
        if decided.done and archive and self._lake:
            discard_superseded(prefix, self._lake, archive)
        return msgspec.structs.replace(decided, swept=swept + self._sweep(org_id, log, progress))

    def purge_safely(self, org_id: str, log: LogName, actor: Actor, progress: Callable[[int, int], None]) -> Purge:
        """Purge one log; if what is stored is not what was written, say so in the result."""
        try:
            return self.purge(org_id, log, actor=actor, progress=progress)
        except IntegrityError as error:
            return msgspec.structs.replace(self.plan(org_id, log), problem=str(error))

    def _plan(self, connection: Connection, org_id: str, log: LogName) -> _Plan:
        row = connection.execute(select(logs).where(_is_open(org_id, log))).one()
        organisation = _organisation(connection, org_id)
        cutoff = self._database.clock(connection) - organisation.retention * DAY
        mark, waits_for, lost = _mark_for(connection, row, cutoff)
        purge = Purge(
            org_id=org_id,
            org=organisation.name,
            log=log,
            retention_days=organisation.retention,
            cutoff=cutoff,
            first_seq=row.first_seq,
            waits_for=waits_for,
            lost=lost,
        )
        if mark is None:
            return _Plan(purge, row, None)
        bounds = {"first_seq": row.first_seq, "before": mark.seq}
        entries, size = _measure(connection, row, mark.seq)
        purge = msgspec.structs.replace(
            purge,
            before=mark.seq,
            mark_time=mark.log_time,
            records=mark.seq - row.first_seq,
            entries=entries,
            size=size,
            holds=tuple(holds_against(connection, org_id, log, row.id, **bounds)),
        )
        return _Plan(purge, row, mark)

    def _decide(self, planned: Purge, prefix: Prefix, actor: Actor) -> Purge:
        """Move the minimum and write the event, if with all locks held everything is still as it was planned."""
        log, admin = LogId(prefix.org_id, prefix.log), LogId(prefix.org_id, LogName.ADMIN)
        with self._database.write() as connection:
            locked = self._store.hot.lock(connection, [log, admin])
            # Whoever changes the retention or makes a hold waits for the head of `admin`, or we have waited for them.
            retention = _organisation(connection, prefix.org_id).retention
            bounds = {"first_seq": prefix.first_seq, "before": prefix.before}
            held = tuple(holds_against(connection, prefix.org_id, prefix.log, prefix.log_id, **bounds))
            if held or retention > planned.retention_days or locked[log].first_seq != prefix.first_seq:
                return msgspec.structs.replace(planned, holds=held, retention_days=retention, archive=None)
            facts = _facts(planned, prefix)
            self._journal.write(connection, PURGED, prefix.origin, actor=actor, org_id=prefix.org_id, facts=facts)
            if not move_minimum(connection, prefix):
                raise AssertionError("the log's head is locked")
        return msgspec.structs.replace(planned, done=True)

    def _sweep_leftovers(self, org_id: str, log: LogName, progress: Callable[[int, int], None] | None) -> int:
        """Finish a purge that broke off, if it was one: a minimum that was forged must not have us delete anything."""
        with self._database.read() as connection:
            row = connection.execute(select(logs.c.id, logs.c.first_seq).where(_is_open(org_id, log))).one()
            this = (records.c.log_id == row.id) & (records.c.seq < row.first_seq)
            if connection.execute(select(records.c.seq).where(this).limit(1)).first() is None:
                return 0
        found = verify_log(self._database, self._store.keyring, LogId(org_id, log), progress).findings
        if found:
            raise IntegrityError(
                f"The log {log} of {org_id} is not as it was written, so nothing of it is deleted: {found[0]}",
                hint="Keep the database as it is until it is known what happened.",
            )
        return self._sweep(org_id, log, progress)

    def _sweep(self, org_id: str, log: LogName, progress: Callable[[int, int], None] | None) -> int:
        """Delete the rows that are behind the minimum."""
        with self._database.read() as connection:
            row = connection.execute(select(logs.c.id, logs.c.first_seq).where(_is_open(org_id, log))).one()
        swept = 0
        for count in delete_purged(self._database, row.id, rest=self._rest):
            swept += count
            if progress is not None:
                progress(swept, max(swept, row.first_seq))
        return swept


def _mark_for(
    connection: Connection, row: Row[Any], cutoff: int
) -> tuple[Place | None, tuple[str, ...], tuple[str, ...]]:
    """Return the mark to purge up to, the webhooks that keep it from going further, and those that lose something."""
    mark = find_mark(connection, row, cutoff)
    cursors = webhook_cursors_of(connection, row)
    slowest = min(cursors.values(), default=None)
    if mark is None or slowest is None or slowest >= mark.seq:
        return mark, (), ()
    candidates = (find_mark(connection, row, cutoff, up_to=slowest), find_mark(connection, row, cutoff - _WAIT))
    chosen = max((place for place in candidates if place is not None), default=None)
    behind, lost = (
        tuple(sorted(endpoint_id for endpoint_id, seq in cursors.items() if place is not None and seq < place.seq))
        for place in (mark, chosen)
    )
    return chosen, behind, lost


def _facts(purge: Purge, prefix: Prefix) -> dict[str, object]:
    """Return what the event says: enough to judge the purge by, also when what went is long gone."""
    facts: dict[str, object] = {
        "log": prefix.log.value,
        "before": prefix.before,
        "retentionDays": purge.retention_days,
        "size": prefix.size,
        "root": prefix.root.hex(),
        "rootBefore": prefix.root_before.hex(),
        "records": purge.records,
        "entries": purge.entries,
    }
    if purge.archive is not None:
        facts |= {"archive": purge.archive.name, "archiveSha256": purge.archive.sha256}
    if purge.lost:
        facts["notDelivered"] = list(purge.lost)
    return facts


def _measure(connection: Connection, row: Row[Any], before: int) -> tuple[int, int]:
    """Return how many entries go, and about how many bytes, by a sample."""
    this = (records.c.log_id == row.id) & (records.c.seq >= row.first_seq) & (records.c.seq < before)
    entries = connection.execute(select(func.count()).where(this, records.c.type == "decision")).scalar_one()
    sample = connection.execute(select(records).where(this).order_by(records.c.seq.desc()).limit(_SAMPLE)).all()
    sizes = [sum(len(value) for value in one if isinstance(value, str | bytes)) + _ROW_BYTES for one in sample]
    return entries, sum(sizes) * (before - row.first_seq) // max(len(sizes), 1)


def _organisation(connection: Connection, org_id: str) -> Organisation:
    return organisation_of(connection.execute(select(organisations).where(organisations.c.id == org_id)).one())


def _is_open(org_id: str, log: LogName) -> Any:  # noqa: ANN401 - a condition of SQLAlchemy
    return (logs.c.org_id == org_id) & (logs.c.log == log.value) & logs.c.frozen.is_(False)


def _renewing(task: Task, progress: Callable[[int, int], None] | None) -> Callable[[int, int], None]:
    def advance(done: int, total: int) -> None:
        task.renew()
        if progress is not None:
            progress(done, total)

    return advance
