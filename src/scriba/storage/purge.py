"""Taking the oldest records from a log, in the two steps that keep every promise whatever breaks off.

First one transaction moves the log's minimum index `first_seq` to a mark and keeps the frontier of the tree there. From
then on what is before it is gone for every reader, and nothing that stays depends on it. Then the rows are deleted,
some thousands at a time and without the log's head, so that appends hardly wait. Rows that a crash leaves behind are
deleted by the next run.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import delete, func, select, update

from scriba.errors import IntegrityError
from scriba.ledger.seal import Head, check_seal, load_beginning, load_head
from scriba.merkle.tree import HASH_SIZE, Frontier, extend_frontier, root_hash
from scriba.storage.marks import IS_MARK, Place
from scriba.storage.model import LogName
from scriba.storage.tables import logs, records, webhook_cursors, webhook_endpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from sqlalchemy import Connection, Row

    from scriba.ledger.keyring import Keyring
    from scriba.storage.database import Database

__all__ = ["Prefix", "delete_purged", "find_mark", "move_minimum", "prove_prefix", "webhook_cursors_of"]

CHUNK: Final = 2_000
"""Rows that one transaction deletes: SQLite lets nobody else write meanwhile."""

_HASHES: Final = 10_000
_PAUSE: Final = 1.0
"""How long to rest after a chunk, in parts of the time that it took: whoever waits to append is next."""


class Prefix(msgspec.Struct, frozen=True, kw_only=True):
    """The records from `first_seq` to the one before the mark `before`, found to be what the tree says.

    `frontier` is that of the tree at `before`. The log had `size` records and this `root` then.
    """

    log_id: int
    org_id: str
    log: LogName
    origin: str
    first_seq: int
    first_frontier: Frontier
    before: int
    mark_time: int
    frontier: Frontier
    size: int
    root: bytes

    @property
    def root_before(self) -> bytes:
        """Root of the tree that ends with the last record to go."""
        return root_hash(self.frontier)


def find_mark(connection: Connection, log: Row[Any], older_than: int, up_to: int | None = None) -> Place | None:
    """Return the newest mark logged before a time; None if it would purge nothing.

    :param log: a row of `logs`
    :param up_to: the mark stands at this `seq` or before it
    """
    query = select(records.c.seq, records.c.log_time).where(
        records.c.log_id == log.id,
        IS_MARK,
        records.c.seq > log.first_seq,
        records.c.log_time < older_than,
    )
    if up_to is not None:
        query = query.where(records.c.seq <= up_to)
    row = connection.execute(query.order_by(records.c.seq.desc()).limit(1)).one_or_none()
    return None if row is None else Place(*row)


def prove_prefix(
    connection: Connection,
    keyring: Keyring,
    log: Row[Any],
    mark: Place,
    progress: Callable[[int, int], None] | None = None,
) -> Prefix:
    """Compute the frontier at a mark, and show that with what follows it makes the root in the sealed head.

    :raises IntegrityError: it does not; what is left would not be provable, so nothing may be deleted
    """
    head = load_head(log.size, log.last_time, bytes(log.frontier))
    check_seal(head, keyring.of(log.origin).head_key, bytes(log.seal))
    begin = load_beginning(log.first_seq, log.first_frontier, head.size)
    with closing(_leaf_hashes(connection, log.id, begin.size, head.size, progress)) as hashes:
        try:
            frontier = _extended(begin, hashes, mark.seq)
            rebuilt = _extended(Head(mark.seq, 0, frontier), hashes, head.size)
        except _Broken as broken:
            raise _cannot_purge(log.origin, f"record {broken} is missing") from None
    if rebuilt != head.frontier:
        raise _cannot_purge(log.origin, "the records do not add up to its root hash")
    return Prefix(
        log_id=log.id,
        org_id=log.org_id,
        log=LogName(log.log),
        origin=log.origin,
        first_seq=begin.size,
        first_frontier=begin.frontier,
        before=mark.seq,
        mark_time=mark.log_time,
        frontier=frontier,
        size=head.size,
        root=head.root(),
    )


def move_minimum(connection: Connection, prefix: Prefix) -> bool:
    """Let the log begin at its mark; False if somebody else has moved its beginning meanwhile."""
    this = (logs.c.id == prefix.log_id) & (logs.c.first_seq == prefix.first_seq)
    values = {"first_seq": prefix.before, "first_frontier": b"".join(prefix.frontier)}
    return connection.execute(update(logs).where(this).values(values)).rowcount == 1


def delete_purged(database: Database, log_id: int, *, rest: Callable[[float], object] = time.sleep) -> Iterator[int]:
    """Delete the rows before the minimum index, a chunk at each step; yields how many that were.

    :param rest: waits some seconds between two chunks
    """
    start = 0
    while True:
        with database.read() as connection:
            first_seq = connection.execute(select(logs.c.first_seq).where(logs.c.id == log_id)).scalar_one()
            this = (records.c.log_id == log_id) & (records.c.seq >= start) & (records.c.seq < first_seq)
            lowest = connection.execute(select(func.min(records.c.seq)).where(this)).scalar_one()
        if lowest is None:
            return
        end = min(lowest + CHUNK, first_seq)
        began = time.monotonic()
        with database.write() as connection:
            this = (records.c.log_id == log_id) & (records.c.seq >= lowest) & (records.c.seq < end)
            count = connection.execute(delete(records).where(this)).rowcount
        start = end
        yield count
        rest((time.monotonic() - began) * _PAUSE)


def webhook_cursors_of(connection: Connection, log: Row[Any]) -> dict[str, int]:
    """Return the active webhooks that a log is told to, each with the first `seq` that it was not told of yet.

    One without a cursor begins with the log, and none is told of what was purged.

    :param log: a row of `logs`
    """
    if log.log == LogName.IMPORTS:
        return {}
    query = (
        select(webhook_endpoints.c.id, func.coalesce(webhook_cursors.c.next_seq, 0))
        .outerjoin(
            webhook_cursors,
            (webhook_cursors.c.endpoint_id == webhook_endpoints.c.id) & (webhook_cursors.c.log_id == log.id),
        )
        .where(
            webhook_endpoints.c.org_id == log.org_id,
            webhook_endpoints.c.status == "active",
            webhook_endpoints.c.deleted_at.is_(None),
        )
    )
    return {row[0]: max(row[1], log.first_seq) for row in connection.execute(query)}


class _Broken(Exception):
    """There is no record with this `seq`."""


def _leaf_hashes(
    connection: Connection, log_id: int, start: int, end: int, progress: Callable[[int, int], None] | None
) -> Generator[tuple[int, bytes]]:
    query = (
        select(records.c.seq, records.c.leaf_hash)
        .where(records.c.log_id == log_id, records.c.seq >= start, records.c.seq < end)
        .order_by(records.c.seq)
    )
    with connection.execute(query, execution_options={"yield_per": _HASHES}) as found:
        for number, row in enumerate(found, 1):
            if progress is not None and (number % _HASHES == 0 or start + number == end):
                progress(number, end - start)
            yield row.seq, bytes(row.leaf_hash)


def _extended(head: Head, hashes: Iterator[tuple[int, bytes]], size: int) -> Frontier:
    """Add the hashes that follow a head, up to a size."""
    frontier, place = head.frontier, head.size
    while place < size:
        batch: list[bytes] = []
        for seq, leaf in hashes:
            if seq != place + len(batch) or len(leaf) != HASH_SIZE:
                raise _Broken(place + len(batch))
            batch.append(leaf)
            if len(batch) == _HASHES or place + len(batch) == size:
                break
        else:
            raise _Broken(place + len(batch))
        frontier = extend_frontier(place, frontier, batch)
        place += len(batch)
    return frontier


def _cannot_purge(origin: str, why: str) -> IntegrityError:
    return IntegrityError(
        f"Nothing was purged from the log {origin}: {why}.",
        hint="Run `scriba verify`, and keep the database as it is until it is known what happened.",
    )
