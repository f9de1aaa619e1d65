"""`/governance/retention` and `/governance/holds`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scriba.storage.model import Role

if TYPE_CHECKING:
    from tests.unit.api.conftest import Api, Tenant

RETENTION = "/governance/retention"
HOLDS = "/governance/holds"


def test_what_is_kept(api: Api, tenant: Tenant, auditor: str) -> None:
    """Promise: tier, days, a word about short ones, and the state of each log stand in one answer."""
    api.decide(tenant.id)
    answer = api.ask("GET", RETENTION, auditor).json()
    assert (answer["tier"], answer["retentionDays"], answer["effectiveDays"], answer["tierDays"]) == (
        "free",
        None,
        7,
        7,
    )
    assert "six months" in answer["notice"]
    (log,) = answer["logs"]
    assert (log["log"], log["firstSeq"], log["records"]) == ("requests", 0, 2)
    assert log["oldest"].endswith("Z")
    assert (answer["holds"], answer["archiveBeforePurge"]) == ([], False)
    assert answer["nextPurgeAt"].endswith("Z")


def test_retention_is_changed(api: Api, admin: str) -> None:
    """Promise: tier and days change each by itself; null is the tier's number."""
    steps: list[tuple[dict[str, Any], tuple[str, int | None, int]]] = [
        ({"tier": "pro"}, ("pro", None, 30)),
        ({"retentionDays": 200}, ("pro", 200, 200)),
        ({"tier": "enterprise"}, ("enterprise", 200, 200)),
        ({}, ("enterprise", 200, 200)),
        ({"retentionDays": None}, ("enterprise", None, 90)),
    ]
    for body, expected in steps:
        answer = api.ask("PATCH", RETENTION, admin, json=body).json()
        assert (answer["tier"], answer["retentionDays"], answer["effectiveDays"]) == expected
        assert (answer["notice"] is None) is (expected[2] >= 183)
        assert api.ask("GET", RETENTION, admin).json()["effectiveDays"] == expected[2]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tier": "gold"}, "tier"),
        ({"tier": None}, "tier"),
        ({"retentionDays": 0}, "retentionDays"),
        ({"retentionDays": 36_501}, "retentionDays"),
        ({"retentionDays": True}, "retentionDays"),
        ({"retentionDays": 1.5}, "retentionDays"),
        ({"retentionDay": 5}, "retentionDay"),
        ([], "body"),
    ],
)
def test_a_bad_retention_names_itself(api: Api, admin: str, body: Any, param: str) -> None:
    """Promise: what is not allowed is refused, and nothing changes."""
    answer = api.ask("PATCH", RETENTION, admin, json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert api.ask("GET", RETENTION, admin).json()["effectiveDays"] == 7


def test_the_life_of_a_hold(api: Api, tenant: Tenant, admin: str, auditor: str) -> None:
    """Promise: a hold is made, listed, shown beside the retention, released, and stays readable."""
    body = {"name": "Case 7", "reason": "Litigation", "startDate": "2025-01-01", "endDate": "2025-03-31"}
    made = api.ask("POST", HOLDS, admin, json=body)
    assert made.status_code == 201
    hold = made.json()
    assert hold["id"].startswith("hold_")
    assert (hold["startDate"], hold["endDate"]) == ("2025-01-01T00:00:00Z", "2025-04-01T00:00:00Z")
    assert (hold["logs"], hold["status"]) == (["requests", "imports"], "active")
    assert api.ask("GET", RETENTION, auditor).json()["holds"] == [hold]
    released = api.ask("POST", f"{HOLDS}/{hold['id']}/release", admin).json()
    assert released["status"] == "released"
    assert api.ask("GET", f"{HOLDS}/{hold['id']}", auditor).json() == released
    listed = api.ask("GET", HOLDS, auditor).json()
    assert (listed["holds"], listed["pagination"]["total"]) == ([released], 1)
    assert api.ask("GET", RETENTION, auditor).json()["holds"] == []
    other = api.tenant().keys[Role.ADMIN]
    for method, path in (("GET", f"{HOLDS}/{hold['id']}"), ("POST", f"{HOLDS}/{hold['id']}/release")):
        stranger, nobody = api.ask(method, path, other), api.ask(method, path.replace(hold["id"], "hold_x"), other)
        assert (stranger.status_code, nobody.status_code) == (404, 404)
    assert tenant.id


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"reason": 5}, "reason"),
        ({"logs": ["admin"]}, "logs"),
        ({"logs": [[]]}, "logs"),
        ({"startDate": "soon"}, "startDate"),
        ({"endDate": 5}, "endDate"),
        ({"startDate": "2025-02-01", "endDate": "2025-01-01"}, "endDate"),
        ({"log": "requests"}, "log"),
    ],
)
def test_a_bad_hold_names_what_is_wrong(api: Api, admin: str, change: dict[str, Any], param: str) -> None:
    """Promise: a hold that is not what somebody meant is not made."""
    answer = api.ask("POST", HOLDS, admin, json={"name": "x", "reason": "y", **change})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert api.ask("GET", HOLDS, admin).json()["holds"] == []
