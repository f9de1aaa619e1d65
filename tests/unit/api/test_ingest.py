"""`POST /governance/audit-logs`: what is told is what is logged, and what is wrong is told by index and field."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from tests.rederive import read_log, rederive_all

from scriba.ledger.receipt import check_receipt
from scriba.merkle.note import parse_vkey
from scriba.storage.model import COMMAND_LINE, LogId, LogName, Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from httpx2 import Response
    from tests.unit.api.conftest import Api, Tenant

PATH = "/governance/audit-logs"
ENTRY: dict[str, Any] = {
    "id": "their-1",
    "requestId": "req_theirs",
    "timestamp": "2025-01-10T15:30:00.5+01:00",
    "model": "deepseek-chat",
    "provider": None,
    "policyId": "their-policy",
    "policyName": "House rules",
    "policySlot": 3,
    "allowed": False,
    "enforcement": "hard_block",
    "violationReasons": ["Provider 'deepseek' is China-based and blocked by policy", "a reason of theirs"],
    "apiKeyId": "their-key",
    "ipAddress": "203.0.113.42",
    "userAgent": "their gateway/1.0",
    "tags": ["team:billing"],
    "user": "Zoë 😀",
    "operation": "chat",
    "canonicalModel": "deepseek-chat",
    "attempt": 2,
    "clientRequestId": "c-1",
    "requestSha256": "ab" * 32,
    "policyVersion": 4,
}


@pytest.fixture
def ingest(tenant: Tenant) -> str:
    """Return a key of role `ingest`."""
    return tenant.keys[Role.INGEST]


def tell(api: Api, key: str, body: Any, query: str = "", headers: Mapping[str, str] = MappingProxyType({})) -> Response:
    """Report entries."""
    headers = {"Content-Type": "application/json", **headers}
    return api.ask("POST", PATH + query, key, content=json.dumps(body), headers=headers)


def tell_lines(api: Api, key: str, lines: list[str], query: str = "") -> Response:
    """Report entries, one in each line."""
    headers = {"Content-Type": "application/x-ndjson"}
    return api.ask("POST", PATH + query, key, content="\n".join(lines).encode(), headers=headers)


def logged(api: Api, tenant: Tenant, path: str = "") -> Any:
    """Return what the API shows."""
    return api.ask("GET", PATH + path, tenant.keys[Role.AUDITOR]).json()


def test_an_entry_is_logged_as_it_was_told(api: Api, tenant: Tenant, ingest: str) -> None:
    """Promise: every field comes back; id and time are Scriba's own, and theirs are kept as such."""
    answer = tell(api, ingest, ENTRY)
    assert answer.status_code == 201
    entry = logged(api, tenant, f"/{answer.json()['id']}")
    entry.pop("proof")
    own = {name: entry.pop(name) for name in ("id", "seq", "log", "timestamp", "orgId", "source")}
    assert own["source"] == "ingest"
    assert {**answer.json(), "orgId": tenant.id, "source": "ingest"} == {
        **own,
        "requestId": "req_theirs",
        "receipt": answer.headers["x-audit-receipt"],
    }
    told = {name: value for name, value in ENTRY.items() if name not in {"id", "timestamp"}}
    expected = {"sourceId": "their-1", "occurredAt": "2025-01-10T14:30:00.500000Z", "requestedProvider": "deepseek"}
    assert entry == told | expected


def test_the_receipt_is_good(api: Api, tenant: Tenant, ingest: str) -> None:
    """Promise: the reporter holds a signature over the very record."""
    answer = tell(api, ingest, ENTRY)
    log = LogId(tenant.id, LogName.REQUESTS)
    (start, stored) = read_log(api.services.store.database, log)
    origin = start.record.origin  # type: ignore[union-attr] # record 0 says it
    keys = [parse_vkey(text) for text in api.services.store.keyring.of(origin).vkeys]
    receipt = check_receipt(answer.headers["x-audit-receipt"], origin, keys)
    assert (receipt.seq, receipt.leaf_hash) == (stored.seq, stored.leaf_hash)
    assert answer.headers["x-audit-id"] == answer.json()["id"]


def test_the_least_that_can_be_told(api: Api, tenant: Tenant, ingest: str) -> None:
    """Promise: five fields are enough, and a request id is minted where none is told."""
    least = {"model": "gpt-4o", "allowed": True, "policyId": "p", "policyName": "P", "enforcement": "warn"}
    answer = tell(api, ingest, {**least, "provider": "openai", "apiKeyId": None, "tags": [], "user": ""})
    assert answer.status_code == 201
    entry = logged(api, tenant, f"/{answer.json()['id']}")
    assert entry["requestId"].startswith("req_")
    assert entry["requestedProvider"] == "openai"
    assert "tags" not in entry
    assert "occurredAt" not in entry


def test_a_batch_is_answered_in_its_order(api: Api, tenant: Tenant, ingest: str) -> None:
    """Promise: lists and lines alike; each entry has its place and its receipt."""
    batch = [{**ENTRY, "requestId": f"r{number}"} for number in range(20)]
    for answer in (tell(api, ingest, batch), tell_lines(api, ingest, [json.dumps(one) for one in batch] + [""])):
        assert answer.status_code == 201
        entries = answer.json()["entries"]
        assert answer.json()["refused"] == []
        assert [entry["requestId"] for entry in entries] == [one["requestId"] for one in batch]
        first = entries[0]["seq"]
        assert [entry["seq"] for entry in entries] == list(range(first, first + 20))
    assert logged(api, tenant)["pagination"]["total"] == 40
    rederive_all(api.services.store.database)


@pytest.mark.parametrize(
    "wrong",
    [
        ({"polcyId": "x"}, "polcyId", "Did you mean policyId?"),
        ({"model": None}, "model", "expected `str`"),
        ({"model": ""}, "model", "is missing"),
        ({"model": "x" * 257}, "model", "the limit is 256"),
        ({"model": "a\nb"}, "model", "U+000A"),
        ({"user": "\ud800"}, "user", "surrogate"),
        ({"allowed": "true"}, "allowed", "expected `bool`"),
        ({"enforcement": "block"}, "enforcement", "hard_block, soft_block, warn"),
        ({"policySlot": 13}, "policySlot", "from 1 to 12"),
        ({"tags": ["x"] * 33}, "tags", "the limit is 32"),
        ({"tags": ["x" * 129]}, "tags", "the limit is 128"),
        ({"tags": [1]}, "tags[0]", "expected `str`"),
        ({"violationReasons": ["x"] * 33}, "violationReasons", "the limit is 32"),
        ({"violationReasons": ["x" * 513]}, "violationReasons", "the limit is 512"),
        ({"id": "x" * 1025}, "id", "the limit is 1024"),
        ({"timestamp": "yesterday"}, "timestamp", "2025-01-10T14:30:00Z"),
        ({"timestamp": "1969-12-31T23:59:59Z"}, "timestamp", "from 1970 on"),
        ({"timestamp": "2025-01-10T14:30:00.1234567Z"}, "timestamp", "six fraction digits"),
        ({"timestamp": "9999-12-31T23:59:59-23:59"}, "timestamp", "is not a time"),
        ({"timestamp": "2025-01-10T24:00:00+01:00"}, "timestamp", "must be a time"),
        ({"timestamp": "2025-01-10T14:30:00+00:60"}, "timestamp", "must be a time"),
        ({"orgId": "org_other"}, "orgId", "organisation of the API key"),
        ({"violationCodes": ["china_based", "x"]}, "violationCodes", "set by Scriba"),
        ({"source": "gateway"}, "source", "set by Scriba"),
        ({"seq": 7}, "seq", "set by Scriba"),
    ],
)
def test_what_is_wrong_is_told(api: Api, tenant: Tenant, ingest: str, wrong: tuple[dict[str, Any], str, str]) -> None:
    """Promise: 400 with index, field and what is allowed; nothing of the batch is written."""
    change, param, says = wrong
    bad = {**ENTRY, **change}
    alone = tell(api, ingest, bad).json()["error"]
    assert alone["param"] == param
    assert says in alone["message"]
    answer = tell(api, ingest, [ENTRY, bad, ENTRY])
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == f"[1].{param}"
    assert says in answer.json()["error"]["message"]
    assert logged(api, tenant)["pagination"]["total"] == 0
    partial = tell(api, ingest, [ENTRY, bad, ENTRY], "?partial=true")
    assert partial.status_code == 201
    assert [(one["index"], one["param"]) for one in partial.json()["refused"]] == [(1, param)]
    assert len(partial.json()["entries"]) == 2
    assert logged(api, tenant)["pagination"]["total"] == 2


@pytest.mark.parametrize("name", ["model", "allowed", "policyId", "policyName", "enforcement"])
def test_what_is_required(api: Api, ingest: str, name: str) -> None:
    """Promise: a missing field is named."""
    answer = tell(api, ingest, [{key: value for key, value in ENTRY.items() if key != name}])
    assert answer.json()["error"]["param"] == f"[0].{name}"
    assert answer.json()["error"]["message"] == f"Entry 0: `{name}` is missing."


def test_a_broken_line_is_one_bad_entry(api: Api, ingest: str) -> None:
    """Promise: lines are read by themselves, so one that is no JSON, or says a name twice, is told by its index."""
    good = json.dumps(ENTRY)
    lines = [good, "{", good, '{"model": "a", "model": "b"}', "[]"]
    refused = tell_lines(api, ingest, lines)
    assert refused.json()["error"]["param"] == "[1]"
    partial = tell_lines(api, ingest, lines, "?partial=true")
    assert [one["index"] for one in partial.json()["refused"]] == [1, 3, 4]
    assert len(partial.json()["entries"]) == 2


def test_nothing_good_in_a_partial_batch(api: Api, ingest: str) -> None:
    """Promise: a partial batch of bad entries alone is answered with all reasons, and nothing is created."""
    answer = tell(api, ingest, [{}, 1], "?partial=true")
    assert answer.status_code == 200
    assert [one["index"] for one in answer.json()["refused"]] == [0, 1]


@pytest.mark.parametrize(
    ("body", "says"),
    [(b"", "is empty"), (b"[]", "no entries"), (b"{", "not valid JSON"), (b"\xff", "UTF-8"), (b"7", "JSON object")],
)
def test_bodies_that_are_none(api: Api, ingest: str, body: bytes, says: str) -> None:
    """Promise: 400 that says what was expected."""
    answer = api.ask("POST", PATH, ingest, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]


def test_limits_of_a_request(api: Api, ingest: str) -> None:
    """Promise: too many entries, too many bytes, an unknown type or parameter are refused as such."""
    lines = ["1"] * 10_001
    assert "at most 10000" in tell_lines(api, ingest, lines).json()["error"]["message"]
    assert tell(api, ingest, {"model": "x" * 70_000}).status_code == 413
    typed = api.ask("POST", PATH, ingest, content=b"a,b", headers={"Content-Type": "text/csv"})
    assert typed.status_code == 415
    assert tell(api, ingest, ENTRY, "?partal=true").json()["error"]["message"].endswith("Did you mean partial?")
    assert tell(api, ingest, ENTRY, "?partial=maybe").json()["error"]["param"] == "partial"


def test_a_repeat_answers_as_before(api: Api, tenant: Tenant, ingest: str) -> None:
    """Promise: with an `Idempotency-Key` the same request writes once; with other content it is a conflict."""
    headers = {"Idempotency-Key": "order 66"}
    for body, query in ((ENTRY, ""), ([ENTRY, ENTRY], ""), ([ENTRY, {}], "?partial=true"), ([{}], "?partial=true")):
        headers = {"Idempotency-Key": f"{query}{len(json.dumps(body))}"}
        first, second = (tell(api, ingest, body, query, headers=headers) for _ in range(2))
        assert (second.status_code, second.content) == (first.status_code, first.content)
        assert second.headers.get("x-audit-receipt") == first.headers.get("x-audit-receipt")
        assert "idempotency-replayed" not in first.headers
        assert second.headers["idempotency-replayed"] == "true"
    assert logged(api, tenant)["pagination"]["total"] == 4
    other = tell(api, ingest, [{**ENTRY, "model": "other"}], headers=headers)
    assert (other.status_code, other.headers["x-should-retry"]) == (409, "false")
    assert tell(api, tenant.keys[Role.ADMIN], ENTRY, headers=headers).status_code == 201


@pytest.mark.parametrize("name", ["", "x" * 256, "a\tb"])
def test_a_bad_idempotency_key(api: Api, ingest: str, name: str) -> None:
    """Promise: what cannot be kept is refused, and nothing is written."""
    answer = tell(api, ingest, ENTRY, headers={"Idempotency-Key": name})
    assert answer.json()["error"]["param"] == "Idempotency-Key"


def test_two_idempotency_keys(api: Api, ingest: str) -> None:
    """Promise: none of the two is guessed to be the one that counts."""
    usual = {"Authorization": f"Bearer {ingest}", "Content-Type": "application/json"}
    headers = [*usual.items(), ("Idempotency-Key", "one"), ("Idempotency-Key", "two")]
    answer = api.client.request("POST", PATH, headers=headers, content=json.dumps(ENTRY))
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "Idempotency-Key")


def test_a_failed_request_claims_nothing(api: Api, ingest: str) -> None:
    """Promise: after a 400 the corrected request may use the same key."""
    headers = {"Idempotency-Key": "corrected"}
    assert tell(api, ingest, [{}], headers=headers).status_code == 400
    assert tell(api, ingest, [ENTRY], headers=headers).status_code == 201


def test_a_policy_is_created_once(api: Api, admin: str) -> None:
    """Promise: a repeated creation answers with the same policy and makes no second one."""
    body = {"name": "Production", "rules": {"enforcement": "warn"}}
    headers = {"Idempotency-Key": "policy"}
    first, second = (api.ask("POST", "/governance", admin, json=body, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert second.headers["idempotency-replayed"] == "true"
    assert api.ask("GET", "/governance", admin).json()["pagination"]["total"] == 1
    other = api.ask("POST", "/governance", admin, json={**body, "name": "Other"}, headers=headers)
    assert other.status_code == 409


def test_tags_of_the_key_come_first(api: Api, tenant: Tenant) -> None:
    """Promise: the tags of an ingest key stand in each entry that it reports."""
    _, key = api.services.control.create_key(tenant.id, role=Role.INGEST, tags=("via:edge",), actor=COMMAND_LINE)
    answer = tell(api, key, {**ENTRY, "tags": ["a", "via:edge"]})
    assert logged(api, tenant, f"/{answer.json()['id']}")["tags"] == ["via:edge", "a"]
