"""Ids that a log holds more than once, found by its index over ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from scriba.ledger.verifier import MAX_FINDINGS, Finding
from scriba.storage.tables import records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

__all__ = ["find_repeated_ids"]


def find_repeated_ids(connection: Connection, log_id: int, start: int, first_seq: int) -> Iterator[Finding]:
    """Yield a finding for each entry from `start` on whose id an entry before it has; no more than are kept.

    :param first_seq: what is before it was purged
    """
    newer, older = records.alias("newer"), records.alias("older")
    query = (
        select(newer.c.seq, func.min(older.c.seq).label("other"))
        .join(older, (older.c.log_id == newer.c.log_id) & (older.c.id == newer.c.id) & older.c.id.is_not(None))
        .where(newer.c.log_id == log_id, newer.c.seq >= start, older.c.log_id == log_id)
        .where(older.c.seq >= first_seq, older.c.seq < newer.c.seq)
        .group_by(newer.c.seq)
        .order_by(newer.c.seq)
        .limit(MAX_FINDINGS)
    )
    for row in connection.execute(query):
        message = f"Record {row.seq} has the id of record {row.other}, and no two entries share one."
        yield Finding(row.seq, "id", message)
