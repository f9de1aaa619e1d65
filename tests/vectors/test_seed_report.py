"""The sample report of the public contract comes out as printed, from a log that holds what it counts.

`seed_report.json` is the answer that https://docs.case.dev/governance/audit prints for `GET /governance/reports`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.asking import ask
from tests.stores import a_decision, in_batches

from scriba.domain.record import Hidden
from scriba.domain.timestamp import parse_timestamp
from scriba.storage.hot import pending
from scriba.storage.model import LogId, LogName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import Running, Tenant

    from scriba.domain.record import Decision

SAMPLE: dict[str, Any] = json.loads((Path(__file__).parent / "seed_report.json").read_text("utf-8"))["report"]


def decisions(org_id: str) -> Iterator[Decision]:
    """Yield the decisions that the sample counts, spread over the month."""
    common: dict[str, Any] = {"policy_id": SAMPLE["policy"]["id"], "policy_name": SAMPLE["policy"]["name"]}
    start = parse_timestamp(SAMPLE["period"]["start"])
    [blocked] = SAMPLE["blockedRequests"]
    yield a_decision(
        org_id,
        **common,
        source="import",
        request_id=blocked["requestId"],
        timestamp=parse_timestamp(blocked["timestamp"]),
        model=blocked["model"],
        provider="",
        requested_provider="deepseek",
        allowed=False,
        violation_reasons=(
            "Provider 'deepseek' is China-based and blocked by policy",
            "Provider 'deepseek' does not meet minimum trust tier 'most_trusted'",
        ),
        hidden=Hidden(ip_address=blocked["ipAddress"]),
    )
    for provider in ("anthropic", "openai"):
        for number in range(SAMPLE["providerBreakdown"][provider]["requests"]):
            time = start + number * 200_000_000
            yield a_decision(
                org_id, **common, source="import", timestamp=time, provider=provider, requested_provider=""
            )


@pytest.fixture(scope="module")
def tenant(server: Running) -> Tenant:
    """Make an organisation whose imports are those of the sample."""
    tenant = server.tenant()
    store = server.services.store
    with store.database.write() as connection:
        log = LogId(tenant.id, LogName.IMPORTS)
        store.hot.append(connection, [pending(log, record) for record in in_batches(decisions(tenant.id))])
    return tenant


def test_the_report(server: Running, tenant: Tenant) -> None:
    """Promise: every printed field stands there, in the printed order and with the printed value."""
    path = "/governance/reports?period=2025-01&policyId=gpol_xxx"
    answer = ask(server.url, tenant.auditor, b"", method="GET", path=path)
    assert answer.status == 200
    report = json.loads(answer.body)["report"]
    assert list(report)[: len(SAMPLE)] == list(SAMPLE)
    for name, printed in SAMPLE.items():
        if name in {"id", "generatedAt"}:
            continue
        assert _first(report[name], printed) == printed, name
        assert json.dumps(_first(report[name], printed)) == json.dumps(printed), name
    assert answer.body.count(b'"complianceRate":99.99,') == 1


def _first(value: Any, printed: Any) -> Any:
    """Cut a summary down to the fields that are printed, which stand first; everything else has no more."""
    return dict(list(value.items())[: len(printed)]) if isinstance(printed, dict) else value


def test_it_comes_out_again(server: Running, tenant: Tenant) -> None:
    """Promise: under its id the same report is computed again."""
    path = "/governance/reports?period=2025-01&policyId=gpol_xxx"
    first = json.loads(ask(server.url, tenant.auditor, b"", method="GET", path=path).body)["report"]
    path = f"/governance/reports/{first['id']}"
    again = json.loads(ask(server.url, tenant.auditor, b"", method="GET", path=path).body)["report"]
    assert again.pop("recomputedAt") > first["generatedAt"]
    assert again == first
