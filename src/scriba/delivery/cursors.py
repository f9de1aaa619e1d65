"""How far the logs of an organisation have been turned into deliveries, for each endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import case, delete, func, insert, literal, select, text

from scriba.delivery.endpoint import ACTIVE
from scriba.storage.model import LogName
from scriba.storage.tables import logs, webhook_cursors, webhook_endpoints

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

__all__ = ["TAILED", "Behind", "behind", "follow_from_now", "move"]

TAILED: Final = (LogName.REQUESTS.value, LogName.ADMIN.value)
"""The logs whose records are events. Imported history is none."""

_MOVE: Final = text(
    "INSERT INTO webhook_cursors (endpoint_id, log_id, next_seq) VALUES (:endpoint_id, :log_id, :next_seq) "
    "ON CONFLICT (endpoint_id, log_id) DO UPDATE SET next_seq = excluded.next_seq"
)
_told: Final = func.coalesce(webhook_cursors.c.next_seq, 0)
# What was purged before an endpoint was told of it is passed over; the event about the purge names the endpoint.
_next_seq: Final = case((_told < logs.c.first_seq, logs.c.first_seq), else_=_told)
_BEHIND: Final[Select[Any]] = (
    select(webhook_endpoints.c.id, webhook_endpoints.c.org_id, logs.c.id, _next_seq, logs.c.size)
    .select_from(webhook_endpoints)
    .join(logs, (logs.c.org_id == webhook_endpoints.c.org_id) & logs.c.log.in_(TAILED))
    .outerjoin(
        webhook_cursors,
        (webhook_cursors.c.endpoint_id == webhook_endpoints.c.id) & (webhook_cursors.c.log_id == logs.c.id),
    )
    .where(
        webhook_endpoints.c.status == ACTIVE,
        webhook_endpoints.c.deleted_at.is_(None),
        logs.c.size > _next_seq,
    )
    .order_by(webhook_endpoints.c.id, logs.c.id)
)


class Behind(NamedTuple):
    """An endpoint for which a log has records from `next_seq` to before `size` that were not looked at."""

    endpoint_id: str
    org_id: str
    log_id: int
    next_seq: int
    size: int


def behind(connection: Connection, endpoint_id: str | None = None, log_id: int | None = None) -> list[Behind]:
    """Return what is behind. Without active endpoints that reads no log at all."""
    query = _BEHIND
    if endpoint_id is not None:
        query = query.where(webhook_endpoints.c.id == endpoint_id, logs.c.id == log_id)
    return [Behind(*row) for row in connection.execute(query)]


def follow_from_now(connection: Connection, endpoint_id: str, org_id: str) -> None:
    """Put the cursors of an endpoint to the present heads of its logs."""
    connection.execute(delete(webhook_cursors).where(webhook_cursors.c.endpoint_id == endpoint_id))
    heads = select(literal(endpoint_id), logs.c.id, logs.c.size).where(logs.c.org_id == org_id, logs.c.log.in_(TAILED))
    connection.execute(insert(webhook_cursors).from_select(["endpoint_id", "log_id", "next_seq"], heads))


def move(connection: Connection, endpoint_id: str, log_id: int, next_seq: int) -> None:
    """Note that all records before `next_seq` were looked at."""
    connection.execute(_MOVE, {"endpoint_id": endpoint_id, "log_id": log_id, "next_seq": next_seq})
