"""The hot rows of every log, and the heads they hang from.

An append happens inside one SQL transaction: lock the heads, check their seals, give out `seq` and log time,
hash, insert the rows, renew the heads. What commits first has the smaller `seq`, so a reader by cursor misses
nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import insert, select

from scriba.domain.entropy import random_piece
from scriba.domain.record import Decision, Event, LogStart, Record
from scriba.errors import IntegrityError, LogUnavailable
from scriba.ledger.origin import parse_origin
from scriba.ledger.record import PreparedRecord, prepare
from scriba.ledger.seal import Head, check_seal, load_head, seal
from scriba.merkle.tree import leaf_hash
from scriba.storage.database import driver_cursor
from scriba.storage.model import Appended, LogId, LogName
from scriba.storage.rows import COLUMNS, Row, row_tail
from scriba.storage.tables import logs, records

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy import Connection
    from sqlalchemy.engine.interfaces import DBAPICursor

    from scriba.ledger.keyring import Keyring
    from scriba.storage.database import Database

__all__ = ["MAX_CLOCK_SKEW", "HotLogs", "LockedLog", "Pending", "pending"]

MAX_CLOCK_SKEW: Final = 10_000_000
"""Microseconds by which the clocks of database and process may differ before the log is not written."""


class Pending(msgspec.Struct, frozen=True):
    """A record that waits for its place: all that can be done before the head is locked is done.

    `revision` is the state of the control tables that the record was decided under, if it depends on them.
    """

    log: LogId
    prepared: PreparedRecord
    tail: Row
    timestamp: int | None
    revision: int | None


def pending(log: LogId, record: Record, revision: int | None = None) -> Pending:
    """Encode a record and its row, with a fresh salt for its hidden fields.

    :raises InvalidRecord: the format does not allow it
    """
    salt = random_piece() if isinstance(record, Decision | Event) else b""
    timestamp = record.timestamp if isinstance(record, Decision) else None
    return Pending(log, prepare(record, salt), row_tail(record, salt), timestamp, revision)


class LockedLog:
    """A log whose head this transaction holds, and what the transaction has placed behind it so far."""

    def __init__(self, log_id: int, origin: str, head: Head, first_seq: int) -> None:
        self.id = log_id
        self.origin = origin
        self.head = head
        self.first_seq = first_seq
        self.hashes: list[bytes] = []
        self.log_time = head.last_time

    def place(self, item: Pending) -> Row:
        """Give the record the next `seq` and hash it; returns its row."""
        seq = self.head.size + len(self.hashes)
        leaf = leaf_hash(item.prepared.complete(seq, self.log_time))
        self.hashes.append(leaf)
        timestamp = self.log_time if item.timestamp is None else item.timestamp
        return (self.id, seq, self.log_time, timestamp, leaf, *item.tail)


_HEAD_COLUMNS: Final = "id, org_id, log, origin, size, last_time, frontier, seal, first_seq"


class HotLogs:
    """Appends to the logs of one database. One for each process, shared by its threads.

    It remembers the last record that it wrote to every log: a database that was rolled back behind the back of a
    running process is noticed at the next append, even if others have written to it since.
    """

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring
        self._written: dict[str, Appended] = {}
        self._mark = mark = "?" if database.dialect == "sqlite" else "%s"
        marks = ", ".join([mark] * len(COLUMNS))
        # The driver's own SQL: this is the hot path, and the statements are always the same.
        self._insert = f"INSERT INTO records ({', '.join(COLUMNS)}) VALUES ({marks})"  # noqa: S608 - constants
        self._renew_head = (
            f"UPDATE logs SET size = {mark}, last_time = {mark}, frontier = {mark}, seal = {mark} WHERE id = {mark}"  # noqa: S608 - constants and marks
        )
        self._one_log = f"(org_id = {mark} AND log = {mark} AND NOT frozen)"
        self._for_update = "" if database.dialect == "sqlite" else " FOR UPDATE"

    def append(self, connection: Connection, batch: Sequence[Pending]) -> list[Appended | None]:
        """Append a batch inside the caller's transaction; nothing is durable before that commits.

        An item decided before the last change of its organisation's keys or policies is left out, and None stands in
        its place.

        :raises IntegrityError: a seal does not fit, or the database has lost records that this process saw
        :raises LogUnavailable: the clocks of database and process differ too much
        """
        locked = self.lock(connection, {item.log for item in batch})
        cursor = driver_cursor(connection)
        changed = self._changes(cursor, {item.log.org_id for item in batch if item.revision is not None})
        now = self._log_time(connection)
        for log in locked.values():
            log.log_time = max(now, log.head.last_time)
        rows: list[Row] = []
        placed: list[Appended | None] = []
        for item in batch:
            if item.revision is not None and item.revision < changed[item.log.org_id]:
                placed.append(None)
                continue
            log = locked[item.log]
            row = log.place(item)
            rows.append(row)
            placed.append(Appended(log.origin, log.head.size + len(log.hashes) - 1, log.log_time, log.hashes[-1]))
        if rows:
            cursor.executemany(self._insert, rows)
            self._renew(cursor, [log for log in locked.values() if log.hashes])
        return placed

    def holds(self, connection: Connection, wanted: Collection[LogId], placed: Sequence[Appended | None]) -> bool:
        """Whether a transaction that would have written `placed` was committed. Waits until it has ended."""
        locked = {log.origin: log for log in self.lock(connection, wanted).values()}
        item = next((item for item in placed if item is not None), None)
        if item is None:
            return False
        return self._stands(connection, locked[item.origin].id, item)

    def remember(self, appended: Iterable[Appended]) -> None:
        """Note what has been committed, so that it cannot be lost unnoticed."""
        for item in appended:
            last = self._written.get(item.origin)
            if last is None or item.seq > last.seq:
                self._written[item.origin] = item

    def create(self, connection: Connection, log: LogId, start: LogStart) -> Appended:
        """Create the head of a new log and its record 0, which names its origin and keys."""
        now = self._database.clock(connection)
        leaf = leaf_hash(prepare(start, b"").complete(0, now))
        head = Head(size=1, last_time=now, frontier=(leaf,))
        generation = parse_origin(start.origin).generation
        created = connection.execute(
            insert(logs).values(
                org_id=log.org_id,
                log=log.log.value,
                generation=generation,
                origin=start.origin,
                frozen=False,
                size=head.size,
                last_time=head.last_time,
                frontier=head.packed_frontier(),
                seal=seal(head, self._keyring.of(start.origin).head_key),
                signed_size=0,
            ),
        ).inserted_primary_key
        log_id = created[0] if created else None
        connection.exec_driver_sql(self._insert, [(log_id, 0, now, now, leaf, *row_tail(start, b""))])
        return Appended(start.origin, 0, now, leaf)

    def lock(self, connection: Connection, wanted: Collection[LogId]) -> dict[LogId, LockedLog]:
        """Lock the heads of logs until the transaction ends, and check what they say.

        :raises IntegrityError: a seal does not fit, or a log is smaller than this process saw it
        """
        parameters = tuple(text for log in wanted for text in (log.org_id, log.log.value))
        cursor = driver_cursor(connection)
        cursor.execute(
            # Everybody locks in this order, so nobody waits in a circle.
            f"SELECT {_HEAD_COLUMNS} FROM logs WHERE {' OR '.join([self._one_log] * len(wanted))}"  # noqa: S608 - constants and marks
            f" ORDER BY id{self._for_update}",
            parameters,
        )
        locked = {LogId(row[1], LogName(row[2])): self._open(row) for row in cursor.fetchall()}
        for log in locked.values():
            self._check_not_older(connection, log)
        if missing := set(wanted) - set(locked):
            raise IntegrityError(f"The database has no log {min(f'{log.org_id}/{log.log}' for log in missing)}.")
        return locked

    def _open(self, row: Sequence[Any]) -> LockedLog:
        log_id, _, _, origin, size, last_time, frontier, stored_seal, first_seq = row
        head = load_head(size, last_time, bytes(frontier))
        check_seal(head, self._keyring.of(origin).head_key, bytes(stored_seal))
        return LockedLog(log_id, origin, head, first_seq)

    def _check_not_older(self, connection: Connection, log: LockedLog) -> None:
        last = self._written.get(log.origin)
        if last is None or (log.head.size == last.seq + 1 and log.head.last_time == last.log_time):
            return  # nobody has written since; the seal vouches for the rest
        if log.head.size > last.seq and (last.seq < log.first_seq or self._stands(connection, log.id, last)):
            return  # if it was purged meanwhile, verification judges whether that was right
        raise IntegrityError(
            f"The log {log.origin} has {log.head.size} records, but not record {last.seq} as this process wrote it: "
            "the database was rolled back.",
            hint="Put the newer database back. Nothing is written until then.",
        )

    def _stands(self, connection: Connection, log_id: int, item: Appended) -> bool:
        stored = connection.execute(
            select(records.c.leaf_hash).where(records.c.log_id == log_id, records.c.seq == item.seq),
        ).scalar_one_or_none()
        return stored is not None and bytes(stored) == item.leaf_hash

    def _changes(self, cursor: DBAPICursor, org_ids: Collection[str]) -> dict[str, int]:
        """Return the revision of the last change of each organisation, its keys and its policies."""
        if not org_ids:
            return {}
        marks = ", ".join([self._mark] * len(org_ids))
        cursor.execute(f"SELECT id, revision FROM organisations WHERE id IN ({marks})", tuple(org_ids))  # noqa: S608 - constants and marks
        return dict(cursor.fetchall())

    def _log_time(self, connection: Connection) -> int:
        now = self._database.clock(connection)
        skew = abs(now - time.time_ns() // 1000)
        if skew > MAX_CLOCK_SKEW:
            raise LogUnavailable(
                f"The clocks of the database and of this machine differ by {skew / 1e6:.0f} seconds.",
                hint="Set both clocks right (NTP): a wrong time in the log could not be undone.",
            )
        return now

    def _renew(self, cursor: DBAPICursor, changed: Sequence[LockedLog]) -> None:
        renewed = []
        for log in changed:
            head = log.head.append(log.hashes, log.log_time)
            sealed = seal(head, self._keyring.of(log.origin).head_key)
            renewed.append((head.size, head.last_time, head.packed_frontier(), sealed, log.id))
        cursor.executemany(self._renew_head, renewed)
