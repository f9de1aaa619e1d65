"""All of webhooks that others work with, put together over one store."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from scriba.delivery.deliveries import Deliveries
from scriba.delivery.destination import look_up
from scriba.delivery.dispatcher import Dispatcher
from scriba.delivery.endpoints import Endpoints
from scriba.delivery.events import body_of
from scriba.delivery.schedule import Verdict
from scriba.delivery.secret import PURPOSE, SecretBox
from scriba.delivery.sender import Sender
from scriba.delivery.signature import signed_headers
from scriba.domain.ids import mint_id

if TYPE_CHECKING:
    from scriba.delivery.destination import Lookup
    from scriba.delivery.draft import Trial
    from scriba.delivery.endpoint import Endpoint
    from scriba.settings import WebhookSettings
    from scriba.storage.store import Store

__all__ = ["TrialResult", "Webhooks"]


class TrialResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How trying an endpoint out went. `statusCode` is that of the answer, `error` says why there was none."""

    delivered: bool
    status_code: int | None
    duration_ms: int
    error: str | None


class Webhooks:
    """The endpoints of a deployment, their deliveries, and what sends to them.

    :param lookup: finds the addresses of a host
    """

    def __init__(self, store: Store, rules: WebhookSettings, lookup: Lookup = look_up) -> None:
        self._store = store
        self._rules = rules
        self._lookup = lookup
        box = SecretBox(store.keyring.shared_key(PURPOSE))
        self.endpoints = Endpoints(store.database, store.hot, box, rules, lookup)
        self.deliveries = Deliveries(store.database, store.hot)

    def dispatcher(self) -> Dispatcher:
        """Make what sends in the background."""
        sender = Sender(self._rules, self._lookup)
        return Dispatcher(self._store.database, self._store.hot, self.endpoints, sender)

    async def try_out(self, endpoint: Endpoint, trial: Trial) -> TrialResult:
        """Send one event to an endpoint, once, and keep nothing of it."""
        now = time.time_ns() // 1000
        event_id = mint_id("evt", now)
        body = body_of(event_id, trial.type, now, trial.data)
        secrets = self.endpoints.signing_secrets(endpoint, now)
        async with Sender(self._rules, self._lookup) as sender:
            answer = await sender.send(endpoint.url, signed_headers(secrets, event_id, now // 1_000_000, body), body)
        return TrialResult(
            delivered=answer.verdict is Verdict.DELIVERED,
            status_code=answer.status,
            duration_ms=answer.duration_ms,
            error=answer.complaint,
        )
