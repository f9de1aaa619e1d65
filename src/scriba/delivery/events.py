"""The events that webhooks can be sent, and the body of each.

A body has the fields of the public contract in their order, and `occurred_at`, which is the same time under the name
that other receivers look for.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from scriba.domain.record import Decision, Enforcement, Event
from scriba.domain.timestamp import format_timestamp
from scriba.policy.reasons import short_reasons

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scriba.domain.record import Record

__all__ = ["EVENT_TYPES", "TEST", "EventType", "body_of", "decision_type", "event_data", "event_type", "matches"]


class EventType(msgspec.Struct, frozen=True, kw_only=True):
    """What a receiver may subscribe to."""

    type: str
    description: str
    scope: str = "governance"
    resource: str
    stability: str = "stable"


def _event(name: str, resource: str, description: str) -> tuple[str, EventType]:
    return name, EventType(type=name, description=description, resource=resource)


TEST: Final = "webhook.test"

EVENT_TYPES: Final[Mapping[str, EventType]] = MappingProxyType(
    dict(
        [
            _event("governance.request.allowed", "auditLog", "A request was allowed and broke no rule."),
            _event("governance.request.blocked", "auditLog", "A request was refused."),
            _event("governance.request.warned", "auditLog", "A request broke its policy, which only warns."),
            _event("governance.policy.created", "policy", "A policy was created."),
            _event("governance.policy.updated", "policy", "A policy was changed; it has a new version."),
            _event("governance.policy.deleted", "policy", "A policy was deleted."),
            _event("governance.retention.purged", "retention", "Entries were purged after their retention."),
            _event("governance.integrity.failed", "log", "A verification of the log found something."),
            _event(TEST, "webhook", "Sent on request, to try an endpoint out."),
        ]
    )
)
"""All types by their names."""

_ACTIONS: Final = frozenset(
    {"policy.created", "policy.updated", "policy.deleted", "retention.purged", "integrity.failed"}
)
_ALL: Final = "*"


def matches(filters: Iterable[str], name: str) -> bool:
    """Whether an event of this type passes one of the filters: its name, the beginning of it and `.*`, or `*`."""
    return any(
        given in {_ALL, name} or (given.endswith(".*") and name.startswith(given.removesuffix("*")))
        for given in filters
    )


def decision_type(*, allowed: bool, enforcement: str, has_reasons: bool) -> str:
    """Return the type of a decision. One that was rerouted counts as allowed, for it kept its policy in the end."""
    if not allowed:
        return "governance.request.blocked"
    warned = has_reasons and enforcement == Enforcement.WARN
    return "governance.request.warned" if warned else "governance.request.allowed"


def event_type(record: Record) -> str | None:
    """Return the type of event that a record of a log is; None if it is none."""
    if isinstance(record, Decision):
        has_reasons = bool(record.violation_reasons)
        return decision_type(allowed=record.allowed, enforcement=record.enforcement, has_reasons=has_reasons)
    if isinstance(record, Event) and record.action in _ACTIONS:
        return f"governance.{record.action}"
    return None


def event_data(record: Decision | Event) -> dict[str, Any]:
    """Return what a body tells of a record."""
    if isinstance(record, Event):
        target = "policyId" if record.action.startswith("policy.") else "target"
        return {"auditId": record.id, target: record.target, **record.detail}
    data = {
        "requestId": record.request_id,
        "model": record.model,
        "provider": record.provider or record.requested_provider or None,
        "policyId": record.policy_id,
        "policyName": record.policy_name,
        "violations": short_reasons(record.violation_reasons),
    }
    return data | ({"ipAddress": record.hidden.ip_address} if record.hidden.ip_address else {})


def body_of(event_id: str, name: str, occurred_at: int, data: object) -> bytes:
    """Return the bytes that are signed and sent."""
    moment = format_timestamp(occurred_at)
    fields = {"id": event_id, "type": name, "timestamp": moment, "data": data, "occurred_at": moment}
    return msgspec.json.encode(fields)
