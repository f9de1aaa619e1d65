"""The endpoints of webhooks: making, changing, deleting them, and new secrets.

Each change is an event in the organisation's `admin` log, in the same transaction and without any secret.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec
from sqlalchemy import func, insert, select, update

from scriba.delivery.backlog import drop_backlog
from scriba.delivery.cursors import follow_from_now
from scriba.delivery.destination import check_host, check_url, look_up
from scriba.delivery.endpoint import ACTIVE, Endpoint, endpoint_of, failing_columns, log_document
from scriba.delivery.schedule import Failing
from scriba.delivery.secret import WEAK, KeptSecret, check_secret, generate_secret, is_weak
from scriba.domain.ids import is_id, mint_id
from scriba.errors import InvalidInput, NotFound
from scriba.storage.events import Journal
from scriba.storage.idempotency import answer_of, keep_answer
from scriba.storage.tables import webhook_endpoints

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from scriba.delivery.destination import Lookup
    from scriba.delivery.draft import Change, Draft
    from scriba.delivery.secret import SecretBox
    from scriba.domain.window import Window
    from scriba.settings import WebhookSettings
    from scriba.storage.database import Database
    from scriba.storage.hot import HotLogs
    from scriba.storage.idempotency import Repeat
    from scriba.storage.model import Actor

__all__ = ["MAX_ENDPOINTS", "EndpointPage", "Endpoints"]

MAX_ENDPOINTS: Final = 100
"""Endpoints of one organisation."""

_MICROS: Final = 1_000_000
_MAX_SECRETS: Final = 10
_live: Final = webhook_endpoints.c.deleted_at.is_(None)
_log: Final = logging.getLogger("scriba.delivery")


class EndpointPage(msgspec.Struct, frozen=True):
    """A part of a list of endpoints; `total` counts the whole list."""

    endpoints: Sequence[Endpoint]
    total: int


_Strings: TypeAlias = list[str]


class Endpoints:
    """The endpoints of all organisations of one database. Threads may share it.

    All methods raise `StoreUnreachable` if the database does not answer.
    """

    def __init__(
        self, database: Database, hot: HotLogs, box: SecretBox, rules: WebhookSettings, lookup: Lookup = look_up
    ) -> None:
        self._database = database
        self._journal = Journal(hot)
        self._box = box
        self._rules = rules
        self._lookup = lookup

    def create(self, org_id: str, draft: Draft, *, actor: Actor, repeat: Repeat | None = None) -> bytes:
        """Make an endpoint that is sent what happens from now on; returns the answer, in which its secret is shown.

        :raises InvalidInput: naming the field
        """
        self._check_url(draft.url)
        if draft.secret is not None:
            strong = self._rules.require_strong_secrets
            check_secret(draft.secret, draft.secret_param, strong=strong)
        with self._database.write() as connection:
            if repeat is not None and (answer := answer_of(connection, repeat)) is not None:
                return answer
            now = self._database.clock(connection)
            self._refuse_too_many(connection, org_id)
            secret = draft.secret if draft.secret is not None else generate_secret()
            endpoint = self._new(org_id, draft, secret, now)
            connection.execute(insert(webhook_endpoints).values(_row(endpoint)))
            self._note(connection, "webhook.created", actor, None, endpoint)
            follow_from_now(connection, endpoint.id, org_id)
            answer = _with_secret(endpoint, secret)
            if repeat is not None:
                keep_answer(connection, repeat, answer, now)
        if is_weak(secret):
            _log.warning("The endpoint %s has a signing secret of less than 24 bytes.", endpoint.id)
        return answer

    def list(self, org_id: str, window: Window, statuses: Sequence[str] = ()) -> EndpointPage:
        """Return a part of the endpoints of an organisation, newest first."""
        this = (webhook_endpoints.c.org_id == org_id) & _live
        if statuses:
            this &= webhook_endpoints.c.status.in_(statuses)
        query = select(webhook_endpoints).where(this).order_by(webhook_endpoints.c.id.desc())
        with self._database.read() as connection:
            total = connection.execute(select(func.count()).select_from(webhook_endpoints).where(this)).scalar_one()
            rows = connection.execute(query.limit(window.limit).offset(window.offset)).all()
        return EndpointPage([endpoint_of(row) for row in rows], total)

    def find(self, org_id: str, endpoint_id: str) -> Endpoint:
        """Return an endpoint.

        :raises NotFound: the organisation has none with this id
        """
        with self._database.read() as connection:
            return self._find(connection, org_id, endpoint_id)

    def update(self, org_id: str, endpoint_id: str, change: Change, *, actor: Actor) -> Endpoint:
        """Change an endpoint. One that becomes active again is sent what happens from then on.

        :raises InvalidInput: naming the field
        :raises NotFound: the organisation has no such endpoint
        """
        if isinstance(change.url, str):
            self._check_url(change.url)
        with self._database.write() as connection:
            now = self._database.clock(connection)
            before = self._find(connection, org_id, endpoint_id, for_change=True)
            given = {
                name: value for name, value in msgspec.structs.asdict(change).items() if value is not msgspec.UNSET
            }
            after = msgspec.structs.replace(before, **given)
            if after.status == ACTIVE and before.status != ACTIVE:
                after = msgspec.structs.replace(after, failing=Failing())
            if after.status != before.status:
                after = msgspec.structs.replace(after, disabled_reason=None)
            if after != before:
                after = msgspec.structs.replace(after, updated_at=now)
                self._store(connection, after)
                self._note(connection, "webhook.updated", actor, before, after)
            if after.status == ACTIVE and before.status != ACTIVE:
                follow_from_now(connection, after.id, org_id)
        return after

    def delete(self, org_id: str, endpoint_id: str, *, actor: Actor) -> Endpoint:
        """Delete an endpoint: nothing is sent to it any more, and its history stays readable for its time.

        :raises NotFound: the organisation has no such endpoint
        """
        with self._database.write() as connection:
            now = self._database.clock(connection)
            endpoint = self._find(connection, org_id, endpoint_id, for_change=True)
            connection.execute(_this(endpoint_id).values(deleted_at=now, updated_at=now))
            drop_backlog(connection, endpoint_id, "endpoint_deleted")
            self._note(connection, "webhook.deleted", actor, endpoint, None)
        return endpoint

    def rotate(self, org_id: str, endpoint_id: str, grace: int, *, actor: Actor, repeat: Repeat | None = None) -> bytes:
        """Give an endpoint a new secret; returns the answer, in which it is shown.

        :param grace: seconds for which the earlier ones go on signing; 0 ends them all at once
        :raises NotFound: the organisation has no such endpoint
        """
        with self._database.write() as connection:
            if repeat is not None and (answer := answer_of(connection, repeat)) is not None:
                return answer
            now = self._database.clock(connection)
            before = self._find(connection, org_id, endpoint_id, for_change=True)
            fresh = generate_secret()
            kept = _still_signing(self._box.open(endpoint_id, before.secrets), now, now + grace * _MICROS)
            after = msgspec.structs.replace(
                before,
                secrets=self._box.seal(endpoint_id, (KeptSecret(fresh), *kept)),
                previous_until=max((each.until or 0 for each in kept), default=None),
                updated_at=now,
            )
            self._store(connection, after)
            self._note(connection, "webhook.rotated", actor, before, after)
            answer = _with_secret(after, fresh)
            if repeat is not None:
                keep_answer(connection, repeat, answer, now)
        return answer

    def signing_secrets(self, endpoint: Endpoint, now: int) -> _Strings:
        """Return the secrets that sign at a moment, the current one first.

        :raises IntegrityError: they were changed
        """
        kept = self._box.open(endpoint.id, endpoint.secrets)
        return [each.text for each in kept if each.until is None or each.until > now]

    def _check_url(self, url: str) -> None:
        check_host(check_url(url, self._rules), self._rules, self._lookup)

    def _refuse_too_many(self, connection: Connection, org_id: str) -> None:
        this = (webhook_endpoints.c.org_id == org_id) & _live
        count = connection.execute(select(func.count()).select_from(webhook_endpoints).where(this)).scalar_one()
        if count >= MAX_ENDPOINTS:
            raise InvalidInput(f"An organisation has at most {MAX_ENDPOINTS} endpoints.", param="url")

    def _new(self, org_id: str, draft: Draft, secret: str, now: int) -> Endpoint:
        endpoint_id = mint_id("evsub", now)
        return Endpoint(
            id=endpoint_id,
            org_id=org_id,
            url=draft.url,
            description=draft.description,
            filters=draft.filters,
            status=ACTIVE,
            disabled_reason=None,
            secrets=self._box.seal(endpoint_id, (KeptSecret(secret),)),
            previous_until=None,
            failing=Failing(),
            last_success_at=None,
            created_at=now,
            updated_at=now,
        )

    def _find(self, connection: Connection, org_id: str, endpoint_id: str, *, for_change: bool = False) -> Endpoint:
        query = select(webhook_endpoints).where(
            webhook_endpoints.c.id == endpoint_id, webhook_endpoints.c.org_id == org_id, _live
        )
        query = query.with_for_update() if for_change else query
        row = connection.execute(query).one_or_none() if is_id(endpoint_id, "evsub") else None
        if row is None:
            raise NotFound(
                f"There is no endpoint {endpoint_id!r}.", param="id", hint="`scriba webhook list` shows them."
            )
        return endpoint_of(row)

    def _store(self, connection: Connection, endpoint: Endpoint) -> None:
        connection.execute(_this(endpoint.id).values(_row(endpoint)))

    def _note(
        self, connection: Connection, action: str, actor: Actor, before: Endpoint | None, after: Endpoint | None
    ) -> None:
        one = after or before
        assert one is not None  # noqa: S101 - a change has a side
        self._journal.write(
            connection,
            action,
            one.id,
            actor=actor,
            org_id=one.org_id,
            before=None if before is None else log_document(before),
            after=None if after is None else log_document(after),
        )


def _this(endpoint_id: str) -> Any:  # noqa: ANN401 - an UPDATE
    return update(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id)


def _row(endpoint: Endpoint) -> dict[str, object]:
    fields = msgspec.structs.asdict(endpoint)
    failing, filters = fields.pop("failing"), fields.pop("filters")
    return fields | failing_columns(failing) | {"event_filters": msgspec.json.encode(filters).decode()}


def _still_signing(secrets: Sequence[KeptSecret], now: int, until: int) -> list[KeptSecret]:
    """Return the earlier secrets with their ends: none later than `until`, and none that are over."""
    ends = [KeptSecret(each.text, until if each.until is None else min(each.until, until)) for each in secrets]
    return [each for each in ends if each.until is not None and each.until > now][:_MAX_SECRETS]


def _with_secret(endpoint: Endpoint, secret: str) -> bytes:
    warnings = {"warnings": [WEAK]} if is_weak(secret) else {}
    return msgspec.json.encode({"endpoint": endpoint.document(), "signingSecret": secret, **warnings})
