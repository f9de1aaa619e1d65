"""Deriving every log of a database again, by other means than the program's own.

Tests that write end with this: whatever happened on the way, what is stored must be what was hashed.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import rfc8785
from sqlalchemy import select

from scriba.ledger.record import record_bytes
from scriba.storage.rows import stored_of
from scriba.storage.tables import logs, records

if TYPE_CHECKING:
    from scriba.domain.record import Stored
    from scriba.storage.database import Database
    from scriba.storage.model import LogId

__all__ = ["naive_root", "read_log", "rederive_all"]


def naive_root(leaves: list[bytes]) -> bytes:
    """Return the root as RFC 9162, section 2.1.1, defines it: recursively."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


def read_log(database: Database, log: LogId) -> list[Stored]:
    """Return all records of a log, in order."""
    with database.read() as connection:
        head = connection.execute(select(logs).where(logs.c.org_id == log.org_id, logs.c.log == log.log)).one()
        return _records(connection, head)


def rederive_all(database: Database) -> dict[str, int]:
    """Check every log against its head; returns the size of each by its origin."""
    sizes = {}
    with database.read() as connection:
        for head in connection.execute(select(logs)).all():
            stored = _records(connection, head)
            leaves = []
            for index, record in enumerate(stored):
                data = record_bytes(record)
                fields = json.loads(data)
                assert rfc8785.dumps(fields) == data
                assert fields["seq"] == index
                assert hashlib.sha256(b"\x00" + data).digest() == record.leaf_hash
                leaves.append(record.leaf_hash)
            times = [record.log_time for record in stored]
            assert times == sorted(times)
            assert times[-1] == head.last_time
            assert len(leaves) == head.size
            assert naive_root(leaves) == _root(head)
            sizes[head.origin] = head.size
    return sizes


def _records(connection: Any, head: Any) -> list[Stored]:
    rows = connection.execute(select(records).where(records.c.log_id == head.id).order_by(records.c.seq)).all()
    return [stored_of(row, head.org_id) for row in rows]


def _root(head: Any) -> bytes:
    hashes = [bytes(head.frontier)[start : start + 32] for start in range(0, len(head.frontier), 32)]
    root = hashes.pop()
    while hashes:
        root = hashlib.sha256(b"\x01" + hashes.pop() + root).digest()
    return root
