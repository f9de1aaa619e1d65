"""`POST /governance/imports`: history by HTTP, in each form that it comes in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from scriba.storage.model import Role

if TYPE_CHECKING:
    from httpx2 import Response
    from tests.unit.api.conftest import Api, Tenant

PATH = "/governance/imports"
ENTRY: dict[str, Any] = {
    "id": "audit_abc123",
    "requestId": "req_xyz789",
    "timestamp": "2025-01-10T14:30:00Z",
    "model": "claude-sonnet-4-20250514",
    "provider": "anthropic",
    "policyId": "gpol_xxx",
    "policyName": "Production - HIPAA",
    "policySlot": 1,
    "allowed": True,
    "enforcement": "hard_block",
}
CSV = (
    "id,timestamp,request_id,model,provider,policy_name,allowed,enforcement,violations\n"
    'audit_def456,2025-01-10T14:31:00Z,req_1,deepseek-chat,,P,false,hard_block,"one; two"\n'
)


def bring_in(api: Api, key: str, body: str, kind: str = "application/json", **options: Any) -> Response:
    """Import a body."""
    headers = {"Content-Type": kind, **options.get("headers", {})}
    return api.ask("POST", PATH + options.get("query", ""), key, content=body.encode(), headers=headers)


def listed(api: Api, tenant: Tenant) -> list[dict[str, Any]]:
    """Return the entries of an organisation, newest first."""
    entries: list[dict[str, Any]] = api.ask("GET", "/governance/audit-logs", tenant.keys[Role.AUDITOR]).json()["logs"]
    return entries


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (json.dumps([ENTRY]), "application/json"),
        (json.dumps({"logs": [ENTRY], "pagination": {}}), "application/json"),
        (json.dumps(ENTRY), "application/json"),
        (json.dumps(ENTRY) + "\n\n", "application/x-ndjson"),
        (json.dumps(ENTRY), "application/jsonl"),
    ],
)
def test_forms_of_a_body(api: Api, tenant: Tenant, admin: str, body: str, kind: str) -> None:
    """Promise: a list, an export, one entry, or lines; ids and times stay."""
    answer = bring_in(api, admin, body, kind)
    assert (answer.status_code, answer.json()) == (201, {"imported": 1, "skipped": 0, "refused": []})
    (entry,) = listed(api, tenant)
    assert entry.items() >= ENTRY.items()
    assert (entry["log"], entry["source"]) == ("imports", "import")
    again = bring_in(api, admin, body, kind)
    assert (again.status_code, again.json()) == (200, {"imported": 0, "skipped": 1, "refused": []})


def test_csv(api: Api, tenant: Tenant, admin: str) -> None:
    """Promise: the file that the contract prints."""
    assert bring_in(api, admin, CSV, "text/csv; charset=utf-8").json()["imported"] == 1
    (entry,) = listed(api, tenant)
    assert entry["violationReasons"] == ["one", "two"]
    assert entry["provider"] is None


@pytest.mark.parametrize(("body", "kind"), [(CSV, "text/csv"), (json.dumps([ENTRY]), "application/json")])
def test_a_byte_order_mark(api: Api, admin: str, body: str, kind: str) -> None:
    """Promise: a file that Excel has saved is read like any other, and is the same file."""
    assert bring_in(api, admin, "\ufeff" + body, kind).json()["imported"] == 1
    assert bring_in(api, admin, body, kind).json()["skipped"] == 1


def test_what_is_refused(api: Api, tenant: Tenant, admin: str) -> None:
    """Promise: the good ones are imported, and each other is told with its index, field and reason."""
    bad = {**ENTRY, "id": "b", "modle": "x"}
    answer = bring_in(api, admin, json.dumps([ENTRY, bad, ENTRY, {**ENTRY, "id": "c", "timestamp": None}]))
    assert answer.json()["imported"] == 1
    assert [(one["index"], one["param"]) for one in answer.json()["refused"]] == [
        (1, "modle"),
        (2, "id"),
        (3, "timestamp"),
    ]
    assert len(listed(api, tenant)) == 1


def test_a_repeat_answers_as_before(api: Api, tenant: Tenant, admin: str) -> None:
    """Promise: with an `Idempotency-Key` the second answer is the first one."""
    headers = {"Idempotency-Key": "import"}
    first, second = (bring_in(api, admin, json.dumps([ENTRY]), headers=headers) for _ in range(2))
    assert second.json() == first.json()
    assert second.status_code == first.status_code == 201
    assert second.headers["idempotency-replayed"] == "true"
    assert len(listed(api, tenant)) == 1
    assert bring_in(api, admin, CSV, "text/csv", headers=headers).status_code == 409


@pytest.mark.parametrize(
    ("body", "kind", "query", "says"),
    [
        ("[]", "application/json", "", "no entries"),
        ("{", "application/json", "", "not a list of entries"),
        ("id,modle\n", "text/csv", "", "Did you mean model?"),
        ("[{}]", "application/json", "?format=litelm", "litellm"),
        ("[{}]", "application/json", "?fromat=scriba", "Did you mean format?"),
        ("1\n" * 10_001, "application/x-ndjson", "", "at most 10000"),
    ],
)
def test_bodies_that_are_none(api: Api, admin: str, body: str, kind: str, query: str, says: str) -> None:  # noqa: PLR0917 - the columns of the table
    """Promise: 400 with what is wrong."""
    answer = bring_in(api, admin, body, kind, query=query)
    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]


def test_one_organisation_cannot_see_the_other(api: Api, tenant: Tenant, admin: str) -> None:
    """Promise: the same ids may be imported by both, and neither learns of the other."""
    other = api.tenant()
    assert bring_in(api, admin, json.dumps([ENTRY])).json()["imported"] == 1
    assert bring_in(api, other.keys[Role.ADMIN], json.dumps([{**ENTRY, "orgId": tenant.id}])).json()["imported"] == 1
    assert [entry["orgId"] for entry in listed(api, other)] == [other.id]
