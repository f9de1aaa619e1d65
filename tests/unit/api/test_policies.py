"""`/governance` over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scriba.domain.record import Event
from scriba.domain.timestamp import parse_timestamp
from scriba.storage.model import LogId, LogName, Role

if TYPE_CHECKING:
    from tests.unit.api.conftest import Api, Tenant

HIPAA: dict[str, Any] = {
    "name": "Production - HIPAA",
    "tagSlot": 1,
    "isDefault": True,
    "rules": {"minimumTrustTier": "most_trusted", "blockChinaProviders": True, "enforcement": "hard_block"},
}
WARN: dict[str, Any] = {"name": "Experiments", "rules": {"enforcement": "warn"}}


def create(api: Api, key: str, body: dict[str, Any]) -> dict[str, Any]:
    """Create a policy and return it."""
    answer = api.ask("POST", "/governance", key, json=body)
    assert answer.status_code == 201, answer.text
    policy: dict[str, Any] = answer.json()
    return policy


def test_create(api: Api, tenant: Tenant, admin: str) -> None:
    """The answer is the bare policy, with every boolean that was left out as false."""
    policy = create(api, admin, HIPAA)
    assert policy["id"].startswith("gpol_")
    assert policy == {
        "id": policy["id"],
        "orgId": tenant.id,
        "name": "Production - HIPAA",
        "tagSlot": 1,
        "isDefault": True,
        "isActive": True,
        "rules": {
            "minimumTrustTier": "most_trusted",
            "blockChinaProviders": True,
            "requireZdr": False,
            "requireBaa": False,
            "requireHipaa": False,
            "requireSoc2": False,
            "enforcement": "hard_block",
        },
        "version": 1,
        "sha256": policy["sha256"],
        "createdAt": policy["createdAt"],
        "updatedAt": policy["createdAt"],
    }
    assert parse_timestamp(policy["createdAt"])


def test_create_with_everything(api: Api, admin: str) -> None:
    """Lists, description and inactivity come back as they were sent; a missing slot is null."""
    rules = {
        "providerAllowlist": ["openai", "anthropic"],
        "providerBlocklist": ["deepseek"],
        "modelAllowlist": ["gpt-*"],
        "modelBlocklist": ["gpt-3*"],
        "enforcement": "soft_block",
    }
    policy = create(api, admin, {"name": "n", "description": "d", "isActive": False, "rules": rules})
    assert {name: policy["rules"][name] for name in rules} == rules
    assert (policy["description"], policy["isActive"], policy["tagSlot"]) == ("d", False, None)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"name": "n"}, "rules.enforcement"),
        ({"rules": {"enforcement": "warn"}}, "name"),
        ({**WARN, "tagSlot": 13}, "tagSlot"),
        ({**WARN, "colour": "red"}, "colour"),
        ({"name": "n", "rules": {"enforcement": "warn", "requireZrd": True}}, "rules.requireZrd"),
        ({"name": "a\u0000b", "rules": {"enforcement": "warn"}}, "name"),
        ([], None),
    ],
)
def test_bad_policies(api: Api, admin: str, body: object, param: str | None) -> None:
    """What cannot be a policy is a 400 that names the field, and nothing is created."""
    answer = api.ask("POST", "/governance", admin, json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert api.ask("GET", "/governance", admin).json()["pagination"]["total"] == 0


@pytest.mark.parametrize(("second", "param"), [({"tagSlot": 1}, "tagSlot"), ({"isDefault": True}, "isDefault")])
def test_conflicts(api: Api, admin: str, second: dict[str, Any], param: str) -> None:
    """A taken slot and a second default are a 409 that clients do not try again."""
    create(api, admin, HIPAA)
    answer = api.ask("POST", "/governance", admin, json=WARN | second)
    assert answer.status_code == 409
    assert answer.headers["x-should-retry"] == "false"
    assert answer.json()["error"]["type"] == "conflict_error"
    assert answer.json()["error"]["param"] == param
    other = create(api, admin, WARN)
    assert api.ask("PATCH", f"/governance/{other['id']}", admin, json=second).status_code == 409


def test_list(api: Api, admin: str, auditor: str) -> None:
    """An auditor sees all policies, oldest first, page by page."""
    created = [create(api, admin, {**WARN, "name": f"policy {number}"}) for number in range(3)]
    answer = api.ask("GET", "/governance", auditor).json()
    assert answer == {"policies": created, "pagination": {"total": 3, "limit": 100, "offset": 0, "hasMore": False}}
    part = api.ask("GET", "/governance?limit=1&offset=1", auditor).json()
    assert part == {"policies": created[1:2], "pagination": {"total": 3, "limit": 1, "offset": 1, "hasMore": True}}
    assert api.ask("GET", "/governance?limit=0", auditor).status_code == 400


def test_change(api: Api, admin: str, auditor: str) -> None:
    """Naming one rule leaves the others as they are and makes a new version."""
    policy = create(api, admin, HIPAA)
    path = f"/governance/{policy['id']}"
    changed = api.ask("PATCH", path, admin, json={"rules": {"requireZdr": True}}).json()
    assert changed["rules"] == policy["rules"] | {"requireZdr": True}
    assert (changed["version"], changed["createdAt"]) == (2, policy["createdAt"])
    assert changed["sha256"] != policy["sha256"]
    assert parse_timestamp(changed["updatedAt"]) > parse_timestamp(policy["updatedAt"])
    cleared = api.ask("PATCH", path, admin, json={"rules": {"minimumTrustTier": None}, "tagSlot": None}).json()
    assert "minimumTrustTier" not in cleared["rules"]
    assert (cleared["tagSlot"], cleared["version"]) == (None, 3)
    assert api.ask("PATCH", path, admin, json={}).json() == cleared
    assert api.ask("GET", path, auditor).json() == cleared


def test_delete(api: Api, admin: str) -> None:
    """A deleted policy is gone, its slot is free, and a second deletion finds nothing."""
    path = f"/governance/{create(api, admin, HIPAA)['id']}"
    answer = api.ask("DELETE", path, admin, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()) == (200, {"id": path.rpartition("/")[2], "deleted": True})
    assert {api.ask(method, path, admin).status_code for method in ("GET", "DELETE")} == {404}
    assert create(api, admin, HIPAA)["tagSlot"] == 1


def test_another_organisations_policy(api: Api, admin: str) -> None:
    """Another organisation's policy is answered exactly like one that does not exist, whatever is tried."""
    theirs = create(api, api.tenant().keys[Role.ADMIN], HIPAA)["id"]
    for method in ("GET", "PATCH", "DELETE"):
        for policy_id in (theirs, "gpol_x"):
            body = {"name": "mine"} if method == "PATCH" else None
            answer = api.ask(method, f"/governance/{policy_id}", admin, json=body)
            assert answer.status_code == 404
            assert answer.json()["error"]["message"] == f"There is no policy {policy_id!r}."


def test_changes_name_who_made_them(api: Api, tenant: Tenant, admin: str) -> None:
    """Each change is an event of the `admin` log with key, address and user agent."""
    path = f"/governance/{create(api, admin, WARN)['id']}"
    api.ask("PATCH", path, admin, json={"name": "n"}, headers={"User-Agent": "ops/1"})
    api.ask("DELETE", path, admin)
    from tests.rederive import read_log

    stored = read_log(api.services.store.database, LogId(tenant.id, LogName.ADMIN))
    events = [record.record for record in stored if isinstance(record.record, Event)][-3:]
    assert [event.action for event in events] == ["policy.created", "policy.updated", "policy.deleted"]
    assert {event.target for event in events} == {path.rpartition("/")[2]}
    key = api.services.authenticator.identify(admin)
    assert {event.hidden.actor for event in events} == {key.key_id}
    assert events[1].hidden.user_agent == "ops/1"
    assert events[1].hidden.ip_address == "testclient"
