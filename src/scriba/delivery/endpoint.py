"""An endpoint of webhooks, between its row and its value, and as the API and the log show it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from scriba.delivery.schedule import Failing
from scriba.domain.timestamp import format_timestamp

if TYPE_CHECKING:
    from sqlalchemy import Row

__all__ = [
    "ACTIVE",
    "AUTO_DISABLED",
    "DISABLED",
    "STATUSES",
    "Endpoint",
    "endpoint_of",
    "failing_columns",
    "log_document",
]

ACTIVE: Final = "active"
DISABLED: Final = "disabled"
AUTO_DISABLED: Final = "auto_disabled"
STATUSES: Final = (ACTIVE, DISABLED, AUTO_DISABLED)

_decode_filters = msgspec.json.Decoder(tuple[str, ...]).decode


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where events of an organisation are sent.

    :ivar secrets: encrypted; see `scriba.delivery.secret.SecretBox`
    :ivar previous_until: until when earlier secrets sign as well
    """

    id: str
    org_id: str
    url: str
    description: str | None
    filters: tuple[str, ...]
    status: str
    disabled_reason: str | None
    secrets: bytes
    previous_until: int | None
    failing: Failing
    last_success_at: int | None
    created_at: int
    updated_at: int

    def __repr__(self) -> str:
        return f"Endpoint(id={self.id!r}, org_id={self.org_id!r}, url={self.url!r}, status={self.status!r})"

    def document(self) -> dict[str, object]:
        """Return it as the API shows it, without any secret."""
        previous = self.previous_until if (self.previous_until or 0) > time.time_ns() // 1000 else None
        return {
            "id": self.id,
            "url": self.url,
            "description": self.description,
            "eventTypeFilters": self.filters,
            "resourceScopes": None,
            "status": self.status,
            "disabledReason": self.disabled_reason,
            "consecutiveFailureCount": self.failing.count,
            "lastFailureAt": _moment(self.failing.last_at),
            "lastSuccessAt": _moment(self.last_success_at),
            "hasPreviousSigningSecret": previous is not None,
            "previousSigningSecretExpiresAt": _moment(previous),
            "createdAt": _moment(self.created_at),
            "updatedAt": _moment(self.updated_at),
        }


def endpoint_of(row: Row[Any]) -> Endpoint:
    """Return the endpoint of a row of `webhook_endpoints`."""
    return Endpoint(
        id=row.id,
        org_id=row.org_id,
        url=row.url,
        description=row.description,
        filters=_decode_filters(row.event_filters),
        status=row.status,
        disabled_reason=row.disabled_reason,
        secrets=bytes(row.secrets),
        previous_until=row.previous_until,
        failing=Failing(
            count=row.failure_count,
            first_at=row.first_failure_at,
            first_delivery=row.first_failure_delivery,
            last_at=row.last_failure_at,
            since=row.failing_since,
        ),
        last_success_at=row.last_success_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def failing_columns(failing: Failing) -> dict[str, object]:
    """Return the columns that tell how an endpoint has failed."""
    return {
        "failure_count": failing.count,
        "first_failure_at": failing.first_at,
        "first_failure_delivery": failing.first_delivery,
        "last_failure_at": failing.last_at,
        "failing_since": failing.since,
    }


def log_document(endpoint: Endpoint) -> dict[str, object]:
    """Return it as the `admin` log refers to it: what was decided about it, and no secret."""
    document: dict[str, object] = {
        "id": endpoint.id,
        "url": endpoint.url,
        "description": endpoint.description,
        "eventTypeFilters": list(endpoint.filters),
        "status": endpoint.status,
        "disabledReason": endpoint.disabled_reason,
        "previousSecretsUntil": endpoint.previous_until,
    }
    return {name: value for name, value in document.items() if value not in (None, "", [])}


def _moment(micros: int | None) -> str | None:
    return None if micros is None else format_timestamp(micros)
