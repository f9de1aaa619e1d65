"""What waits to be sent to an endpoint, as a whole: counting it, giving it up, and forgetting what is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import delete, func, literal_column, or_, select, update

from scriba.delivery.endpoint import ACTIVE
from scriba.storage.model import TIERS
from scriba.storage.tables import organisations, webhook_deliveries, webhook_endpoints

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from scriba.storage.database import Database

__all__ = ["HISTORY_DAYS", "KEPT_DELIVERIES", "MAX_BACKLOG", "Lag", "drop_backlog", "forget_old", "read_lag", "room"]

MAX_BACKLOG: Final = 10_000
"""Deliveries that wait for one endpoint; as long as there are so many, the log itself keeps the rest."""

KEPT_DELIVERIES: Final = 10_000
"""Deliveries to one endpoint that are over and still kept."""

HISTORY_DAYS: Final = 30
"""How long they are kept, and never longer than the organisation keeps entries."""

_DAY: Final = 86_400_000_000
_pending: Final = webhook_deliveries.c.status == literal_column("'pending'")  # a parameter would miss the index


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """What waits in a whole deployment.

    :ivar pending: deliveries that wait for an attempt or are being made
    :ivar oldest_seconds: age of the oldest event among them
    """

    pending: int
    oldest_seconds: float


def read_lag(database: Database) -> Lag:
    """Return what waits to be sent to active endpoints, of all organisations together.

    :raises StoreUnreachable: the database does not answer
    """
    query = (
        select(func.count(), func.min(webhook_deliveries.c.occurred_at))
        .join(webhook_endpoints, webhook_endpoints.c.id == webhook_deliveries.c.endpoint_id)
        .where(_pending, webhook_endpoints.c.status == ACTIVE)
    )
    with database.read() as connection:
        count, oldest = connection.execute(query).one()
        now = database.clock(connection)
    return Lag(pending=count, oldest_seconds=0.0 if oldest is None else max(now - oldest, 0) / 1_000_000)


def room(connection: Connection, endpoint_id: str) -> int:
    """Return how many more deliveries may wait for an endpoint."""
    query = select(func.count()).where(_pending, webhook_deliveries.c.endpoint_id == endpoint_id)
    return max(MAX_BACKLOG - connection.execute(query).scalar_one(), 0)


def drop_backlog(connection: Connection, endpoint_id: str, reason: str) -> None:
    """Give up whatever waits for an endpoint."""
    this = _pending & (webhook_deliveries.c.endpoint_id == endpoint_id)
    given_up = {"status": "failed", "next_at": None, "lease": None, "leased_until": None, "last_error": reason}
    connection.execute(update(webhook_deliveries).where(this).values(given_up))


def forget_old(connection: Connection, now: int) -> None:
    """Delete the deliveries whose time is over; bodies may hold personal data.

    What waits for an active endpoint stays: it has its own end.
    """
    query = select(
        webhook_endpoints.c.id, webhook_endpoints.c.status, organisations.c.tier, organisations.c.retention_days
    )
    for row in connection.execute(query.join(organisations, organisations.c.id == webhook_endpoints.c.org_id)).all():
        days = TIERS[row.tier] if row.retention_days is None else row.retention_days
        this = webhook_deliveries.c.endpoint_id == row.id
        over = ~_pending if row.status == ACTIVE else _pending | ~_pending
        old = webhook_deliveries.c.created_at < now - min(days, HISTORY_DAYS) * _DAY
        newest = select(webhook_deliveries.c.id).where(this, ~_pending).order_by(webhook_deliveries.c.id.desc())
        limit = connection.execute(newest.offset(KEPT_DELIVERIES).limit(1)).scalar_one_or_none()
        beyond = ~_pending & (webhook_deliveries.c.id <= limit) if limit is not None else None
        connection.execute(delete(webhook_deliveries).where(this, over, old if beyond is None else or_(old, beyond)))
