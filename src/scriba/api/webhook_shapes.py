"""The shapes of what webhooks answer and read, for the OpenAPI document alone."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from scriba.api.shapes import Time
from scriba.audit.export import Pagination
from scriba.delivery.draft import MAX_GRACE
from scriba.delivery.events import EventType

__all__ = [
    "DeliveryAnswer",
    "DeliveryList",
    "EndpointAnswer",
    "EndpointChange",
    "EndpointDraft",
    "EndpointList",
    "EventTypeList",
    "EventWithDelivery",
    "NewEndpoint",
    "Replay",
    "Rotation",
    "SimpleDraft",
    "TrialDraft",
]


class _Scopes(msgspec.Struct, rename="camel"):
    """There are no vaults and no matters here, so both are empty."""

    vault_ids: list[str] = []
    matter_ids: list[str] = []


class _Endpoint(msgspec.Struct, kw_only=True, rename="camel"):
    """Where events are sent. Its secret is shown only when it is made or renewed."""

    id: str
    url: str
    description: str | None
    event_type_filters: list[str]
    resource_scopes: None
    status: Literal["active", "disabled", "auto_disabled"]
    disabled_reason: str | None
    consecutive_failure_count: int
    last_failure_at: Time | None
    last_success_at: Time | None
    has_previous_signing_secret: bool
    previous_signing_secret_expires_at: Time | None
    created_at: Time
    updated_at: Time


class EndpointAnswer(msgspec.Struct):
    """An endpoint."""

    endpoint: _Endpoint


class NewEndpoint(msgspec.Struct, kw_only=True, rename="camel"):
    """An endpoint with its new secret, which is shown this once."""

    endpoint: _Endpoint
    signing_secret: str
    warnings: list[Literal["weak_secret"]] = []


class EndpointList(msgspec.Struct):
    """A part of the endpoints, newest first."""

    endpoints: list[_Endpoint]
    pagination: Pagination


class SimpleDraft(msgspec.Struct):
    """An endpoint to make, in the short form."""

    url: str
    events: list[str]
    secret: str | None = None


class EndpointDraft(msgspec.Struct, kw_only=True, rename="camel"):
    """An endpoint to make."""

    url: str
    event_type_filters: list[str]
    description: str | None = None
    resource_scopes: _Scopes | None = None
    signing_secret: str | None = None


class EndpointChange(msgspec.Struct, kw_only=True, rename="camel"):
    """What is named changes; everything else stays."""

    url: str | msgspec.UnsetType = msgspec.UNSET
    event_type_filters: list[str] | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType | None = msgspec.UNSET
    resource_scopes: _Scopes | msgspec.UnsetType | None = msgspec.UNSET
    status: Literal["active", "disabled"] | msgspec.UnsetType = msgspec.UNSET


class Rotation(msgspec.Struct, rename="camel"):
    """How long the earlier secret goes on signing."""

    previous_secret_expires_in_sec: Annotated[int, msgspec.Meta(ge=0, le=MAX_GRACE)] = 86_400


class TrialDraft(msgspec.Struct, rename="camel"):
    """An event to send."""

    event_type: str = "webhook.test"
    payload: Any = None


class Replay(msgspec.Struct):
    """What the event holds, or nothing."""

    payload: Any = None


class _Delivery(msgspec.Struct, kw_only=True, rename="camel"):
    """One event on its way to one endpoint."""

    id: str
    endpoint_id: str
    event_id: str
    event_type: str
    occurred_at: Time
    status: Literal["pending", "delivered", "failed"]
    replay: bool
    attempt_count: int
    next_attempt_at: Time | None
    last_attempt_at: Time | None
    last_status_code: int | None
    last_duration_ms: int | None
    last_error: str | None
    created_at: Time


class DeliveryAnswer(msgspec.Struct):
    """A delivery."""

    delivery: _Delivery


class _WholeDelivery(_Delivery, kw_only=True, rename="camel"):
    """A delivery with what was sent and the beginning of the last answer."""

    event: dict[str, Any]
    last_answer: str | None


class EventWithDelivery(msgspec.Struct):
    """A delivery with what was sent."""

    delivery: _WholeDelivery


class DeliveryList(msgspec.Struct):
    """A part of the deliveries, newest first."""

    deliveries: list[_Delivery]
    pagination: Pagination


class EventTypeList(msgspec.Struct, rename="camel"):
    """The events that there are."""

    event_types: list[EventType]
