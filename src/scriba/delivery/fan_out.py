"""From records of the log to deliveries: the transaction that moves a cursor writes a row for each event that matches.

So an event is neither left out nor written twice, whenever a process dies and however many there are.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sqlalchemy import insert, select

from scriba.delivery.backlog import room
from scriba.delivery.cursors import behind, move
from scriba.delivery.endpoint import endpoint_of
from scriba.delivery.events import body_of, event_data, event_type, matches
from scriba.domain.ids import mint_id
from scriba.domain.record import Decision, Event, Stored
from scriba.storage.rows import COLUMNS, stored_of
from scriba.storage.tables import records, webhook_deliveries, webhook_endpoints

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from scriba.delivery.cursors import Behind
    from scriba.delivery.endpoint import Endpoint

__all__ = ["AT_ONCE", "RecordsRead", "fan_out"]

AT_ONCE: Final = 500
"""Records that one transaction looks at."""

RecordsRead: TypeAlias = MutableMapping[tuple[int, int, int], list[Stored]]
"""Records that were read already, by their log and the first and last of them: endpoints mostly stand alike."""

_ROWS: Final = select(*(records.c[name] for name in COLUMNS)).order_by(records.c.seq)


def fan_out(connection: Connection, found: Behind, now: int, read: RecordsRead) -> bool:
    """Turn the next records into deliveries; returns whether there may be more of them to do now.

    :param read: looked at first, and added to; of this transaction alone
    """
    endpoint = _locked(connection, found.endpoint_id)
    current = next(iter(behind(connection, found.endpoint_id, found.log_id)), None)
    if endpoint is None or current is None:
        return False
    free = room(connection, endpoint.id)
    if not free:
        return False
    end = min(current.size, current.next_seq + min(AT_ONCE, free))
    place = (current.log_id, current.next_seq, end)
    if place not in read:
        read[place] = _read(connection, endpoint.org_id, *place)
    rows = [row for each in read[place] if (row := _delivery(endpoint, current.log_id, each, now)) is not None]
    if rows:
        connection.execute(insert(webhook_deliveries), rows)
    move(connection, endpoint.id, current.log_id, end)
    return end < current.size


def _read(connection: Connection, org_id: str, log_id: int, start: int, end: int) -> list[Stored]:
    this = (records.c.log_id == log_id) & (records.c.seq >= start) & (records.c.seq < end)
    return [stored_of(row, org_id) for row in connection.execute(_ROWS.where(this))]


def _locked(connection: Connection, endpoint_id: str) -> Endpoint | None:
    """Lock an endpoint against other processes that do the same; None if one is at it."""
    query = select(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id).with_for_update(skip_locked=True)
    row = connection.execute(query).one_or_none()
    return None if row is None else endpoint_of(row)


def _delivery(endpoint: Endpoint, log_id: int, stored: Stored, now: int) -> dict[str, Any] | None:
    record = stored.record
    name = event_type(record)
    if name is None or not isinstance(record, Decision | Event) or not matches(endpoint.filters, name):
        return None
    event_id = mint_id("evt", stored.log_time)
    return {
        "id": mint_id("dlv", now),
        "org_id": endpoint.org_id,
        "endpoint_id": endpoint.id,
        "log_id": log_id,
        "seq": stored.seq,
        "event_id": event_id,
        "event_type": name,
        "occurred_at": stored.log_time,
        "body": body_of(event_id, name, stored.log_time, event_data(record)),
        "replay": False,
        "status": "pending",
        "attempts": 0,
        "next_at": now,
        "created_at": now,
    }
