"""The history of what was sent to endpoints, and sending again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import func, insert, select

from scriba.delivery.endpoint import ACTIVE
from scriba.domain.ids import is_id, mint_id
from scriba.domain.timestamp import format_timestamp
from scriba.errors import Conflict, InvalidInput, NotFound
from scriba.storage.events import Journal
from scriba.storage.idempotency import answer_of, keep_answer
from scriba.storage.tables import webhook_deliveries, webhook_endpoints

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from scriba.domain.window import Window
    from scriba.storage.database import Database
    from scriba.storage.hot import HotLogs
    from scriba.storage.idempotency import Repeat
    from scriba.storage.model import Actor

__all__ = ["DELIVERY_STATUSES", "Deliveries", "DeliveryPage"]

DELIVERY_STATUSES: Final = ("pending", "delivered", "failed")


class DeliveryPage(msgspec.Struct, frozen=True):
    """A part of a list of deliveries as the API shows them; `total` counts the whole list."""

    deliveries: Sequence[dict[str, object]]
    total: int


class Deliveries:
    """The deliveries of all organisations of one database. Threads may share it.

    All methods raise `StoreUnreachable` if the database does not answer.
    """

    def __init__(self, database: Database, hot: HotLogs) -> None:
        self._database = database
        self._journal = Journal(hot)

    def list(
        self, org_id: str, window: Window, *, endpoint_ids: Sequence[str] = (), statuses: Sequence[str] = ()
    ) -> DeliveryPage:
        """Return a part of the deliveries of an organisation, newest first; also those to deleted endpoints.

        :param endpoint_ids: of these endpoints alone; an id of nobody has none
        """
        this = webhook_deliveries.c.org_id == org_id
        if endpoint_ids:
            this &= webhook_deliveries.c.endpoint_id.in_([each for each in endpoint_ids if is_id(each, "evsub")])
        if statuses:
            this &= webhook_deliveries.c.status.in_(statuses)
        query = select(webhook_deliveries).where(this).order_by(webhook_deliveries.c.id.desc())
        with self._database.read() as connection:
            total = connection.execute(select(func.count()).select_from(webhook_deliveries).where(this)).scalar_one()
            rows = connection.execute(query.limit(window.limit).offset(window.offset)).all()
        return DeliveryPage([_document(row) for row in rows], total)

    def find(self, org_id: str, delivery_id: str) -> dict[str, object]:
        """Return a delivery with what was sent, as the API shows it.

        :raises NotFound: the organisation has none with this id
        """
        with self._database.read() as connection:
            row = self._row(connection, org_id, delivery_id)
        return _document(row) | {"event": msgspec.Raw(bytes(row.body)), "lastAnswer": row.last_answer}

    def replay(
        self, org_id: str, delivery_id: str, payload: object, *, actor: Actor, repeat: Repeat | None = None
    ) -> bytes:
        """Send an event again, to the endpoint that it was for; returns the answer.

        The event is the same to the byte; the attempt is a delivery of its own.

        :param payload: UNSET, or what the event holds
        :raises NotFound: the organisation has no such delivery
        :raises InvalidInput: the payload is another than that of the event
        :raises Conflict: the endpoint is not active
        """
        with self._database.write() as connection:
            if repeat is not None and (answer := answer_of(connection, repeat)) is not None:
                return answer
            now = self._database.clock(connection)
            row = self._row(connection, org_id, delivery_id)
            _refuse_other(payload, bytes(row.body))
            _refuse_inactive(connection, row.endpoint_id)
            again = {name: row._mapping[name] for name in _SAME} | _fresh(now)  # noqa: SLF001 - public in spite of its name
            connection.execute(insert(webhook_deliveries).values(again))
            self._journal.write(connection, "webhook.replayed", delivery_id, actor=actor, org_id=org_id)
            made = self._row(connection, org_id, str(again["id"]))
            answer = msgspec.json.encode({"delivery": _document(made)})
            if repeat is not None:
                keep_answer(connection, repeat, answer, now)
        return answer

    def _row(self, connection: Connection, org_id: str, delivery_id: str) -> Row[Any]:
        query = select(webhook_deliveries).where(
            webhook_deliveries.c.id == delivery_id, webhook_deliveries.c.org_id == org_id
        )
        row = connection.execute(query).one_or_none() if is_id(delivery_id, "dlv") else None
        if row is None:
            raise NotFound(
                f"There is no delivery {delivery_id!r}.", param="id", hint="It may be older than the history."
            )
        return row


_SAME: Final = ("org_id", "endpoint_id", "event_id", "event_type", "occurred_at", "body")


def _fresh(now: int) -> dict[str, object]:
    return {
        "id": mint_id("dlv", now),
        "replay": True,
        "status": "pending",
        "attempts": 0,
        "next_at": now,
        "created_at": now,
    }


def _refuse_other(payload: object, body: bytes) -> None:
    if payload is msgspec.UNSET or payload is None:
        return
    if payload != msgspec.json.decode(body)["data"]:
        raise InvalidInput("payload must be left out, or be what the event holds.", param="payload")


def _refuse_inactive(connection: Connection, endpoint_id: str) -> None:
    query = select(webhook_endpoints.c.status, webhook_endpoints.c.deleted_at)
    row = connection.execute(query.where(webhook_endpoints.c.id == endpoint_id)).one()
    if row.deleted_at is not None:
        raise Conflict(f"The endpoint {endpoint_id} was deleted.")
    if row.status != ACTIVE:
        hint = 'Set its status to "active" first.'
        raise Conflict(f"The endpoint {endpoint_id} is {row.status}.", hint=hint)


def _document(row: Row[Any]) -> dict[str, object]:
    return {
        "id": row.id,
        "endpointId": row.endpoint_id,
        "eventId": row.event_id,
        "eventType": row.event_type,
        "occurredAt": _moment(row.occurred_at),
        "status": row.status,
        "replay": row.replay,
        "attemptCount": row.attempts,
        "nextAttemptAt": _moment(row.next_at),
        "lastAttemptAt": _moment(row.last_attempt_at),
        "lastStatusCode": row.last_status_code,
        "lastDurationMs": row.last_duration_ms,
        "lastError": row.last_error,
        "createdAt": _moment(row.created_at),
    }


def _moment(micros: int | None) -> str | None:
    return None if micros is None else format_timestamp(micros)
