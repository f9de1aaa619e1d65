"""Attempts to deliver: taking what is due, and writing down how it went.

An attempt that is under way is leased to its process. If that dies, or its answer could not be written down, the lease
ends and somebody tries again: a receiver may get an event twice, and never not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import literal_column, or_, select, update

from scriba.delivery.backlog import drop_backlog
from scriba.delivery.endpoint import ACTIVE, AUTO_DISABLED, Endpoint, endpoint_of, failing_columns, log_document
from scriba.delivery.schedule import (
    Failing,
    Verdict,
    after_failure,
    is_dead,
    judge,
    next_attempt,
)
from scriba.storage.model import Actor
from scriba.storage.tables import webhook_deliveries, webhook_endpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection

    from scriba.storage.events import Journal

__all__ = ["LEASE_MICROS", "Answer", "Claimed", "claim", "due_endpoints", "record_answer"]

LEASE_MICROS: Final = 60_000_000
"""How long an attempt may be under way before another process makes it anew: the longest request and much more."""

_DISPATCHER: Final = Actor(name="webhooks")
_pending: Final = webhook_deliveries.c.status == literal_column("'pending'")  # a parameter would miss the index


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that this process attempts now."""

    id: str
    endpoint: Endpoint
    event_id: str
    body: bytes
    replay: bool


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt went.

    :ivar status: of HTTP; None if no answer came
    :ivar error: why there was none, as a stable code
    :ivar text: the beginning of the answer's body
    :ivar retry_after: microseconds that the receiver asked for
    """

    status: int | None
    error: str | None
    duration_ms: int
    text: str = ""
    retry_after: int | None = None

    @property
    def verdict(self) -> Verdict:
        """What it means."""
        return judge(self.status)

    @property
    def complaint(self) -> str | None:
        """What is told about it; None if it was delivered."""
        if self.verdict is Verdict.DELIVERED:
            return None
        return self.error or f"status_{self.status}"


def due_endpoints(connection: Connection, now: int) -> dict[str, int]:
    """Return the active endpoints that something is due for, and when the longest waiting of it became due."""
    first = (
        select(webhook_deliveries.c.next_at)
        .where(webhook_deliveries.c.endpoint_id == webhook_endpoints.c.id, _due(now))
        .order_by(webhook_deliveries.c.next_at)
        .limit(1)
        .scalar_subquery()  # by the index, however many wait
    )
    query = select(webhook_endpoints.c.id, first).where(webhook_endpoints.c.status == ACTIVE)
    return {row[0]: row[1] for row in connection.execute(query) if row[1] is not None}


def claim(connection: Connection, holder: str, places: Mapping[str, int], now: int) -> list[Claimed]:
    """Lease as many due deliveries of each endpoint as there are places, the longest waiting ones first."""
    claimed: list[Claimed] = []
    endpoints = {
        row.id: endpoint_of(row)
        for row in connection.execute(
            select(webhook_endpoints).where(webhook_endpoints.c.id.in_(places), webhook_endpoints.c.status == ACTIVE)
        )
    }
    for endpoint_id, endpoint in endpoints.items():
        due = (
            select(webhook_deliveries)
            .where(webhook_deliveries.c.endpoint_id == endpoint_id, _due(now))
            .order_by(webhook_deliveries.c.next_at, webhook_deliveries.c.id)
            .limit(places[endpoint_id])
            .with_for_update(skip_locked=True)
        )
        rows = connection.execute(due).all()
        leased = {"lease": holder, "leased_until": now + LEASE_MICROS}
        ids = [row.id for row in rows]
        connection.execute(update(webhook_deliveries).where(webhook_deliveries.c.id.in_(ids)).values(leased))
        claimed += [
            Claimed(id=row.id, endpoint=endpoint, event_id=row.event_id, body=bytes(row.body), replay=row.replay)
            for row in rows
        ]
    return claimed


def record_answer(
    connection: Connection,
    delivery: Claimed,
    answer: Answer,
    now: int,
    *,
    journal: Journal,
    jitter: Callable[[], float],
) -> None:
    """Write down how an attempt went, for the delivery and for its endpoint."""
    this = (webhook_endpoints.c.id == delivery.endpoint.id) & webhook_endpoints.c.deleted_at.is_(None)
    row = connection.execute(select(webhook_endpoints).where(this).with_for_update()).one_or_none()
    attempts = connection.execute(
        select(webhook_deliveries.c.attempts).where(webhook_deliveries.c.id == delivery.id, _pending).with_for_update()
    ).scalar_one_or_none()
    if row is None or attempts is None:
        return  # deleted meanwhile, or done by whoever took it over
    connection.execute(
        update(webhook_deliveries)
        .where(webhook_deliveries.c.id == delivery.id)
        .values(_settled(answer, attempts + 1, now, jitter))
    )
    endpoint = endpoint_of(row)
    if answer.verdict is Verdict.DELIVERED:
        kept = Failing(last_at=endpoint.failing.last_at)
        connection.execute(_this(endpoint).values(failing_columns(kept) | {"last_success_at": now}))
        return
    failing = after_failure(endpoint.failing, delivery.id, now)
    connection.execute(_this(endpoint).values(failing_columns(failing)))
    reason = "gone" if answer.verdict is Verdict.GONE else "failing" if is_dead(failing, now) else None
    if reason is not None and endpoint.status == ACTIVE:
        _switch_off(connection, endpoint, reason, now, journal)


def _settled(answer: Answer, attempts: int, now: int, jitter: Callable[[], float]) -> dict[str, Any]:
    """Return the columns of a delivery after an attempt."""
    next_at = None
    status = "delivered"
    if answer.verdict is not Verdict.DELIVERED:
        wanted = answer.retry_after if answer.verdict is Verdict.BUSY else None
        next_at = next_attempt(attempts, now, jitter(), wanted)
        status = "failed" if next_at is None else "pending"
    return {
        "status": status,
        "attempts": attempts,
        "next_at": next_at,
        "lease": None,
        "leased_until": None,
        "last_attempt_at": now,
        "last_duration_ms": answer.duration_ms,
        "last_status_code": answer.status,
        "last_error": answer.complaint,
        "last_answer": answer.text or None,
    }


def _switch_off(connection: Connection, endpoint: Endpoint, reason: str, now: int, journal: Journal) -> None:
    """Send nothing more to an endpoint, give up what waits, and tell the log."""
    after = msgspec.structs.replace(endpoint, status=AUTO_DISABLED, disabled_reason=reason)
    connection.execute(_this(endpoint).values(status=after.status, disabled_reason=reason, updated_at=now))
    drop_backlog(connection, endpoint.id, f"endpoint_{reason}")
    journal.write(
        connection,
        "webhook.disabled",
        endpoint.id,
        actor=_DISPATCHER,
        org_id=endpoint.org_id,
        before=log_document(endpoint),
        after=log_document(after),
    )


def _this(endpoint: Endpoint) -> Any:  # noqa: ANN401 - an UPDATE
    return update(webhook_endpoints).where(webhook_endpoints.c.id == endpoint.id)


def _due(now: int) -> Any:  # noqa: ANN401 - a condition
    return (
        _pending
        & (webhook_deliveries.c.next_at <= now)
        & or_(webhook_deliveries.c.leased_until.is_(None), webhook_deliveries.c.leased_until <= now)
    )
