"""Marks: records that close a day, so that a purge can show how old everything before them was.

A log that holds decisions gets one mark a UTC day, if it grew since the one before. Whoever writes it decides so with
the head of the log locked: of several processes that try, one finds that a mark is due.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import literal_column, select

from scriba.domain.period import DAY
from scriba.domain.record import Mark
from scriba.storage.hot import pending
from scriba.storage.model import LogId, LogName
from scriba.storage.tables import logs, records

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from scriba.storage.database import Database
    from scriba.storage.hot import HotLogs

__all__ = ["IS_MARK", "MARKED", "Place", "write_marks"]

MARKED: Final = (LogName.REQUESTS, LogName.IMPORTS)
"""The logs that hold decisions: they are marked and purged."""

# As it stands in the index over marks; a bound value would not be recognised as the same condition.
IS_MARK: Final = records.c.type == literal_column("'mark'")


class Place(NamedTuple):
    """Where a record stands: its `seq` and its log time in microseconds since 1970."""

    seq: int
    log_time: int


def write_marks(database: Database, hot: HotLogs, org_id: str | None = None) -> list[LogId]:
    """Write a mark to every log that is due one; returns which.

    :param org_id: one organisation alone
    :raises StoreUnreachable: the database does not answer
    """
    open_logs = select(logs.c.org_id, logs.c.log).where(logs.c.frozen.is_(False), logs.c.log.in_(MARKED))
    if org_id is not None:
        open_logs = open_logs.where(logs.c.org_id == org_id)
    # Before the locks are taken, so that logs which rest, the most, cost one small read.
    with database.read() as connection:
        now = database.clock(connection)
        found = connection.execute(open_logs.where(logs.c.size > 1, logs.c.last_time <= now)).all()
        due = [log for log in (LogId(row.org_id, LogName(row.log)) for row in found) if _is_due(connection, log, now)]
    return [log for log in due if _write_mark(database, hot, log)]


def _write_mark(database: Database, hot: HotLogs, log: LogId) -> bool:
    with database.write() as connection:
        hot.lock(connection, [log])
        if not _is_due(connection, log, database.clock(connection)):
            return False
        hot.append(connection, [pending(log, Mark())])
        return True


def _is_due(connection: Connection, log: LogId, now: int) -> bool:
    """Whether the log grew since its last mark, and that was on an earlier day."""
    this = (logs.c.org_id == log.org_id) & (logs.c.log == log.log.value) & logs.c.frozen.is_(False)
    row = connection.execute(select(logs.c.id, logs.c.size, logs.c.first_seq).where(this)).one()
    last = _newest_mark(connection, row.id) or _first_record(connection, row.id, row.first_seq)
    return last is not None and row.size > last.seq + 1 and last.log_time // DAY < now // DAY


def _newest_mark(connection: Connection, log_id: int) -> Place | None:
    query = select(records.c.seq, records.c.log_time).where(records.c.log_id == log_id, IS_MARK)
    row = connection.execute(query.order_by(records.c.seq.desc()).limit(1)).one_or_none()
    return None if row is None else Place(*row)


def _first_record(connection: Connection, log_id: int, seq: int) -> Place | None:
    """Return the record that the log begins with: on its first day it is due no mark."""
    query = select(records.c.seq, records.c.log_time).where(records.c.log_id == log_id, records.c.seq == seq)
    row = connection.execute(query).one_or_none()
    return None if row is None else Place(*row)
