"""Events, their filters and bodies."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from tests.stores import a_decision

from scriba.delivery.draft import read_change, read_draft, read_grace, read_simple, read_trial
from scriba.delivery.events import EVENT_TYPES, body_of, event_data, event_type, matches
from scriba.domain.record import Event, Hidden, Mark
from scriba.domain.timestamp import parse_timestamp
from scriba.errors import InvalidInput

SAMPLE = json.loads((Path(__file__).parents[2] / "vectors" / "seed_webhook.json").read_text("utf-8"))


def test_a_body_is_that_of_the_contract_and_the_time_once_more() -> None:
    """Promise: names, order and values are those of the sample; `occurred_at` is all that is added."""
    data = SAMPLE["data"]
    decision = a_decision(
        "org_1",
        request_id=data["requestId"],
        model=data["model"],
        provider="",
        requested_provider=data["provider"],
        policy_id=data["policyId"],
        policy_name=data["policyName"],
        allowed=False,
        violation_reasons=(
            "Provider 'deepseek' is China-based and blocked by policy",
            "Provider 'deepseek' does not meet minimum trust tier 'most_trusted'",
        ),
        hidden=Hidden(ip_address=data["ipAddress"], user="who@example.com", user_agent="x"),
    )
    occurred_at = parse_timestamp(SAMPLE["timestamp"])
    body = body_of(SAMPLE["id"], event_type(decision) or "", occurred_at, event_data(decision))
    expected = SAMPLE | {"occurred_at": SAMPLE["timestamp"]}
    assert body == json.dumps(expected, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"allowed": True, "enforcement": "hard_block"}, "allowed"),
        ({"allowed": False, "enforcement": "warn", "violation_reasons": ("x",)}, "blocked"),
        ({"allowed": True, "enforcement": "warn", "violation_reasons": ("x",)}, "warned"),
        ({"allowed": True, "enforcement": "soft_block", "violation_reasons": ("x",)}, "allowed"),
        ({"allowed": True, "enforcement": "warn"}, "allowed"),
    ],
)
def test_a_decision_is_named_as_in_reports(fields: dict[str, object], name: str) -> None:
    """Promise: warned is allowed with reasons under `warn`; what was rerouted counts as allowed."""
    assert event_type(a_decision("org_1", **fields)) == f"governance.request.{name}"


@pytest.mark.parametrize("action", ["policy.created", "policy.deleted", "retention.purged", "integrity.failed"])
def test_changes_are_events(action: str) -> None:
    """Promise: what the admin log has an event for is told under its name."""
    record = Event(id="audit_1", action=action, target="gpol_1", detail={"changed": ["name"]})
    assert event_type(record) == f"governance.{action}"
    target = "policyId" if action.startswith("policy") else "target"
    assert event_data(record) == {"auditId": "audit_1", target: "gpol_1", "changed": ["name"]}


@pytest.mark.parametrize("record", [Mark(), Event(id="a", action="key.created"), Event(id="a", action="webhook.test")])
def test_nothing_else_is_an_event(record: Mark | Event) -> None:
    """Promise: keys and accesses are not told to anybody."""
    assert event_type(record) is None


@pytest.mark.parametrize(
    ("given", "count"),
    [("*", 9), ("governance.*", 8), ("governance.request.*", 3), ("governance.request.blocked", 1), ("webhook.*", 1)],
)
def test_a_filter_ends_at_any_dot(given: str, count: int) -> None:
    """Promise: an exact name, the beginning of one at any depth, or all."""
    assert sum(matches([given], name) for name in EVENT_TYPES) == count


@pytest.mark.parametrize(
    "given",
    ["governance.request.bloked", "governance.req*", "governance", "gov.*", "", ".*", "**", "*.blocked", 5, None],
)
def test_a_filter_that_matches_nothing_is_refused_with_the_list(given: object) -> None:
    """Promise: a slip of the finger does not wait silently for ever."""
    with pytest.raises(InvalidInput, match=r"governance\.request\.blocked") as caught:
        read_simple({"url": "https://a.example.com", "events": ["*", given]})
    assert caught.value.param == "events[1]"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ([], "body"),
        ({"events": ["*"]}, "url"),
        ({"url": 5, "events": ["*"]}, "url"),
        ({"url": "https://a.example.com"}, "events"),
        ({"url": "https://a.example.com", "events": []}, "events"),
        ({"url": "https://a.example.com", "events": "*"}, "events"),
        ({"url": "https://a.example.com", "events": ["*"], "secret": 1}, "secret"),
        ({"url": "https://a.example.com", "events": ["*"], "eventTypeFilters": ["*"]}, "eventTypeFilters"),
    ],
)
def test_the_short_form_names_what_is_wrong(body: object, param: str) -> None:
    """Promise: each field is checked by itself, and one that is not there is refused."""
    with pytest.raises(InvalidInput) as caught:
        read_simple(body)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"resourceScopes": {"vaultIds": ["v"]}}, "resourceScopes.vaultIds"),
        ({"resourceScopes": {"matterIds": ["m"]}}, "resourceScopes.matterIds"),
        ({"resourceScopes": {"policyIds": []}}, "resourceScopes"),
        ({"resourceScopes": []}, "resourceScopes"),
        ({"description": 5}, "description"),
        ({"description": "x" * 1025}, "description"),
        ({"events": ["*"]}, "events"),
        ({"signingSecret": []}, "signingSecret"),
    ],
)
def test_the_long_form_names_what_is_wrong(fields: dict[str, object], param: str) -> None:
    """Promise: narrowing to what is not here is refused, since ignoring it would send more."""
    with pytest.raises(InvalidInput) as caught:
        read_draft({"url": "https://a.example.com", "eventTypeFilters": ["*"]} | fields)
    assert caught.value.param == param


def test_empty_scopes_are_taken() -> None:
    """Promise: clients that always send them work."""
    scopes: dict[str, list[str]] = {"vaultIds": [], "matterIds": []}
    body = {"url": "https://a.example.com", "eventTypeFilters": ["*", "*"], "resourceScopes": scopes}
    assert read_draft(body).filters == ("*",)


def test_a_change_takes_what_is_named_and_no_more() -> None:
    """Promise: null clears a description, and a field that is left out stays."""
    assert read_change({"description": None}).description is None
    assert read_change({}).description is msgspec.UNSET
    others: list[object] = ["auto_disabled", "on", None, []]
    for status in others:
        with pytest.raises(InvalidInput, match="active or disabled"):
            read_change({"status": status})


@pytest.mark.parametrize("seconds", [-1, 2_592_001, 1.5, True, "1", None])
def test_the_grace_of_an_earlier_secret_is_bounded(seconds: object) -> None:
    """Promise: 0 to 30 days, a day if nothing is said."""
    with pytest.raises(InvalidInput, match="2592000"):
        read_grace({"previousSecretExpiresInSec": seconds})
    assert read_grace({}) == 86_400


def test_a_trial_is_of_a_known_event() -> None:
    """Promise: a trial looks like what is sent in earnest."""
    assert read_trial({}).type == "webhook.test"
    assert read_trial({"eventType": "governance.request.blocked", "payload": [1]}).data == [1]
    with pytest.raises(InvalidInput, match=r"webhook\.test"):
        read_trial({"eventType": "x"})
