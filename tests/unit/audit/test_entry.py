"""Entries: what the API shows of a row."""

from __future__ import annotations

from typing import Any

import msgspec

from scriba.audit.entry import ENTRY_COLUMNS, Position, entry_of

ALLOWED: dict[str, Any] = {
    "timestamp": 1_736_519_400_000_000,
    "seq": 7,
    "id": "audit_abc123",
    "request_id": "req_xyz789",
    "model": "claude-sonnet-4-20250514",
    "provider": "anthropic",
    "policy_id": "gpol_xxx",
    "policy_name": "Production - HIPAA",
    "policy_slot": 1,
    "allowed": 1,
    "enforcement": "hard_block",
    "violation_reasons": "[]",
    "violation_codes": "[]",
    "source": "gateway",
}
FULL = ALLOWED | {
    "provider": None,
    "allowed": False,
    "violation_reasons": "[\"Provider 'deepseek' is China-based and blocked by policy\"]",
    "violation_codes": '["china_based"]',
    "api_key_id": "key_1",
    "ip_address": "203.0.113.42",
    "user_agent": "curl/8",
    "requested_provider": "deepseek",
    "policy_version": 3,
    "policy_sha256": "ab",
    "operation": "chat",
    "canonical_model": "deepseek-v3",
    "upstream_model": "deepseek-chat",
    "attempt": 2,
    "client_request_id": "mine",
    "request_sha256": "cd",
    "source_id": "theirs",
    "occurred_at": 1_736_519_400_000_001,
    "tags": '["a","b"]',
    "user_name": "u",
}


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return what the API shows of a row."""
    entry = entry_of([row.get(name) for name in ENTRY_COLUMNS], org_id="org_1", log="requests")
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(entry))
    return decoded


def test_absent_fields_are_left_out() -> None:
    """An entry with nothing optional has only what is always there."""
    assert list(shown(ALLOWED)) == [
        *("id", "requestId", "timestamp", "model", "provider", "policyId", "policyName", "policySlot"),
        *("allowed", "enforcement", "orgId", "log", "seq", "source"),
    ]


def test_every_field_in_its_order() -> None:
    """The fields of the contract come first and in its order; ours follow."""
    assert list(shown(FULL)) == [
        *("id", "requestId", "timestamp", "model", "provider", "policyId", "policyName", "policySlot"),
        *("allowed", "enforcement", "violationReasons", "orgId", "apiKeyId", "ipAddress", "userAgent"),
        *("log", "seq", "requestedProvider", "policyVersion", "policySha256", "violationCodes", "operation"),
        *("canonicalModel", "upstreamModel", "attempt", "clientRequestId", "requestSha256", "source"),
        *("sourceId", "occurredAt", "tags", "user"),
    ]


def test_values() -> None:
    """A refused request has a provider, and it is null; truth values, times and lists are what they say."""
    entry = shown(FULL)
    assert entry["provider"] is None
    assert entry["allowed"] is False
    assert shown(ALLOWED)["allowed"] is True
    assert (entry["timestamp"], entry["occurredAt"]) == ("2025-01-10T14:30:00Z", "2025-01-10T14:30:00.000001Z")
    assert entry["tags"] == ["a", "b"]


def test_position() -> None:
    """An entry knows its place in the order of lists."""
    entry = entry_of([ALLOWED.get(name) for name in ENTRY_COLUMNS], org_id="org_1", log="requests")
    assert entry.position == Position(1_736_519_400_000_000, "requests", 7)
