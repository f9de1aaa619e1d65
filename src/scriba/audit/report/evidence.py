"""What a report rests on: how far the logs had come, whether they verify, what was purged and what never logged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from sqlalchemy import bindparam, select, text

from scriba.domain.record import Gap
from scriba.errors import IntegrityError
from scriba.ledger.seal import load_head
from scriba.merkle.note import encode_base64
from scriba.storage.model import LogName
from scriba.storage.store import SignedHead
from scriba.storage.tables import logs, records

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from scriba.domain.period import Period

__all__ = ["LOGS", "Checkpoint", "Purged", "read_checkpoints", "read_gaps", "read_purged"]

LOGS: Final = (LogName.REQUESTS, LogName.IMPORTS)
"""The logs that hold entries."""

_HEADS: Final = (
    select(logs.c.id, logs.c.log, logs.c.origin, logs.c.size, logs.c.last_time, logs.c.frontier, logs.c.frozen)
    .where(logs.c.org_id == bindparam("org_id"), logs.c.log.in_(LOGS))
    .order_by(logs.c.frozen, logs.c.log.desc(), logs.c.generation.desc())
)
_GAPS: Final = (
    select(records.c.detail)
    # As the index over gaps says it: a bound value would not be recognised.
    .where(records.c.log_id == bindparam("log_id"), records.c.seq < bindparam("size"), text("records.type = 'gap'"))
    .order_by(records.c.seq)
)
_FIRST: Final = select(records.c.log_time).where(
    records.c.log_id == bindparam("log_id"), records.c.seq == bindparam("seq")
)
_decode_gap: Final = msgspec.json.Decoder(Gap).decode


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How far a log had come: its size and root hash (Base64), and the signed note that says so.

    The note is empty for an earlier generation of a log, which was signed in its own time, and where the head cannot be
    vouched for.
    """

    log_id: int
    log: str
    origin: str
    tree_size: int
    root_hash: str
    note: str


class Purged(NamedTuple):
    """What retention has removed: all that was logged before `until` (microseconds since 1970)."""

    log: str
    until: int


def read_checkpoints(connection: Connection, org_id: str, signed: Mapping[str, SignedHead]) -> tuple[Checkpoint, ...]:
    """Return where the logs of an organisation stand: as they were signed, else as the snapshot has them.

    The log `requests` stands first, earlier generations last.

    :param signed: heads by origin
    """
    rows = connection.execute(_HEADS, {"org_id": org_id}).all()
    heads = [
        signed.get(row.origin)
        or SignedHead(row.origin, row.size, _root(row.size, row.last_time, bytes(row.frontier)), "")
        for row in rows
    ]
    return tuple(
        Checkpoint(
            log_id=row.id,
            log=row.log,
            origin=head.origin,
            tree_size=head.size,
            root_hash=encode_base64(head.root),
            note=head.note,
        )
        for row, head in zip(rows, heads, strict=True)
    )


def _root(size: int, last_time: int, frontier: bytes) -> bytes:
    """Return the root hash of a stored head; nothing if it is damaged."""
    try:
        return load_head(size, last_time, frontier).root()
    except IntegrityError:
        return b""


def read_gaps(connection: Connection, checkpoints: Sequence[Checkpoint], period: Period) -> tuple[Gap, ...]:
    """Return the gaps that overlap a period: spans in which requests were let through unlogged."""
    found = []
    for one in checkpoints:
        rows = connection.execute(_GAPS, {"log_id": one.log_id, "size": one.tree_size})
        found += [_decode_gap(row.detail) for row in rows]
    return tuple(gap for gap in found if gap.start < period.end and gap.end >= period.start)


def read_purged(connection: Connection, checkpoints: Sequence[Checkpoint], period: Period) -> tuple[Purged, ...]:
    """Return what was purged that may have belonged to a period.

    An imported entry has the time of its source, so that a purge of `imports` may have taken any.
    """
    this = logs.c.id.in_([one.log_id for one in checkpoints]) & (logs.c.first_seq > 0)
    found = []
    for row in connection.execute(select(logs.c.id, logs.c.log, logs.c.first_seq).where(this).order_by(logs.c.id)):
        until = connection.execute(_FIRST, {"log_id": row.id, "seq": row.first_seq}).scalar_one_or_none()
        if until is not None and (row.log == LogName.IMPORTS or until > period.start):
            found.append(Purged(row.log, until))
    return tuple(found)
