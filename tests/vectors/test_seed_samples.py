"""The samples of the public contract come out as printed.

`seed_audit_logs.json` and `seed_audit_logs.csv` are the answers that https://docs.case.dev/governance/audit prints for
`GET /governance/audit-logs` and for its CSV export.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.asking import ask
from tests.stores import a_decision

from scriba.domain.timestamp import parse_timestamp
from scriba.storage.hot import pending
from scriba.storage.model import LogId, LogName

if TYPE_CHECKING:
    from tests.asking import Answered
    from tests.running import Running, Tenant

FOLDER = Path(__file__).parent
SAMPLE: dict[str, Any] = json.loads((FOLDER / "seed_audit_logs.json").read_text("utf-8"))
CSV = (FOLDER / "seed_audit_logs.csv").read_bytes()


@pytest.fixture
def tenant(server: Running) -> Tenant:
    """Make an organisation whose log holds the two entries of the sample, brought in with their ids and times."""
    tenant = server.tenant()
    decisions = [
        a_decision(
            tenant.id,
            id=entry["id"],
            request_id=entry["requestId"],
            timestamp=parse_timestamp(entry["timestamp"]),
            model=entry["model"],
            provider=entry["provider"] or "",
            requested_provider=entry["provider"] or "deepseek",
            policy_id=entry["policyId"],
            policy_name=entry["policyName"],
            policy_slot=entry["policySlot"],
            allowed=entry["allowed"],
            enforcement=entry["enforcement"],
            violation_reasons=tuple(entry.get("violationReasons", ())),
            source="import",
        )
        for entry in SAMPLE["logs"]
    ]
    store = server.services.store
    with store.database.write() as connection:
        log = LogId(tenant.id, LogName.IMPORTS)
        store.hot.append(connection, [pending(log, decision) for decision in decisions])
    return tenant


def get(server: Running, tenant: Tenant, query: str) -> Answered:
    """Call the route of the sample."""
    answer = ask(server.url, tenant.auditor, b"", method="GET", path=f"/governance/audit-logs?{query}")
    assert answer.status == 200, answer.body
    return answer


def test_the_list(server: Running, tenant: Tenant) -> None:
    """Each entry begins with the printed fields, in their order and with their values; newest first."""
    listed = json.loads(get(server, tenant, "limit=100").body)
    assert list(listed) == list(SAMPLE)
    assert [entry["id"] for entry in listed["logs"]] == ["audit_def456", "audit_abc123"]
    for entry, printed in zip(reversed(listed["logs"]), SAMPLE["logs"], strict=True):
        assert list(entry.items())[: len(printed)] == list(printed.items())
    assert list(listed["pagination"]) == list(SAMPLE["pagination"])
    assert listed["pagination"] == {"total": 2, "limit": 100, "offset": 0, "hasMore": False}


def test_the_csv_file(server: Running, tenant: Tenant) -> None:
    """Header and lines are the printed ones, byte by byte; newest first."""
    header, *lines = CSV.splitlines(keepends=True)
    answer = get(server, tenant, "format=csv&startDate=2025-01-01&endDate=2025-01-31")
    assert answer.body == b"".join([header, *reversed(lines)])


def test_the_json_file(server: Running, tenant: Tenant) -> None:
    """The JSON file holds the same entries as the list."""
    file = json.loads(get(server, tenant, "format=json&startDate=2025-01-01&endDate=2025-01-31").body)
    assert file == json.loads(get(server, tenant, "limit=2").body)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("policyId=gpol_xxx", {"audit_abc123", "audit_def456"}),
        ("allowed=false", {"audit_def456"}),
        ("startDate=2025-01-01&endDate=2025-01-31", {"audit_abc123", "audit_def456"}),
        ("startDate=2025-01-01&endDate=2025-01-10", {"audit_abc123", "audit_def456"}),
        ("startDate=2025-01-11", set()),
        ("endDate=2025-01-10T14:31:00Z", {"audit_abc123"}),
        ("provider=anthropic", {"audit_abc123"}),
        ("provider=deepseek", {"audit_def456"}),
    ],
)
def test_the_printed_filters(server: Running, tenant: Tenant, query: str, found: set[str]) -> None:
    """Every filter that the contract shows finds what its words say."""
    assert {entry["id"] for entry in json.loads(get(server, tenant, query).body)["logs"]} == found
