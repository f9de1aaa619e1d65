"""`/governance/audit-logs` over HTTP."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest

from scriba.domain.ids import mint_id
from scriba.domain.record import Outcome
from scriba.storage.model import Role

if TYPE_CHECKING:
    from tests.unit.api.conftest import Api, Tenant

PATH = "/governance/audit-logs"


def fill(api: Api, org_id: str, count: int) -> list[str]:
    """Append decisions, every third refused; returns their ids, newest first."""
    ids = []
    for number in range(count):
        refused = {"allowed": False, "provider": "", "requested_provider": "deepseek", "model": "deepseek-chat"}
        ids.append(api.decide(org_id, **(refused if number % 3 == 0 else {})).id)
    return ids[::-1]


def test_a_list(api: Api, tenant: Tenant, auditor: str) -> None:
    """A page holds the newest entries, and says exactly how many there are."""
    ids = fill(api, tenant.id, 5)
    answer = api.ask("GET", f"{PATH}?limit=2", auditor)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["logs", "pagination"]
    assert [entry["id"] for entry in answer.json()["logs"]] == ids[:2]
    assert answer.json()["pagination"] == {"total": 5, "limit": 2, "offset": 0, "hasMore": True}


@pytest.mark.parametrize(("offset", "found", "more"), [(3, 2, False), (2, 2, True), (5, 0, False), (9, 0, False)])
def test_the_end_of_a_list(api: Api, tenant: Tenant, auditor: str, offset: int, found: int, *, more: bool) -> None:
    """`hasMore` is right at the edges, also past them."""
    ids = fill(api, tenant.id, 5)
    answer = api.ask("GET", f"{PATH}?limit=2&offset={offset}", auditor).json()
    assert [entry["id"] for entry in answer["logs"]] == ids[offset : offset + found]
    assert answer["pagination"] == {"total": 5, "limit": 2, "offset": offset, "hasMore": more}


def test_nothing_yet(api: Api, auditor: str) -> None:
    """An organisation without entries has an empty list, not an error."""
    assert api.ask("GET", PATH, auditor).json() == {
        "logs": [],
        "pagination": {"total": 0, "limit": 100, "offset": 0, "hasMore": False},
    }


def test_filters(api: Api, tenant: Tenant, auditor: str) -> None:
    """Filters are read from the query, repeated or joined."""
    fill(api, tenant.id, 6)
    for query, total in {
        "allowed=false": 2,
        "allowed=true&provider=openai": 4,
        "provider=openai,deepseek": 6,
        "provider=openai&provider=deepseek": 6,
        "model=deepseek*": 2,
        "model=gpt-%2A": 4,
        "startDate=2020-01-01&endDate=2020-12-31": 0,
        "startDate=2020-01-01T00:00:00%2B02:00": 6,
        "enforcement=warn": 0,
        "policyId=gpol_none": 6,
    }.items():
        assert api.ask("GET", f"{PATH}?{query}", auditor).json()["pagination"]["total"] == total, query


@pytest.mark.parametrize(
    ("query", "param", "message"),
    [
        ("limit=-1", "limit", "limit must be one whole number from 1 to 1000, not '-1'."),
        ("limit=abc", "limit", "limit must be one whole number from 1 to 1000, not 'abc'."),
        ("limit=0", "limit", "1 to 1000"),
        ("limit=", "limit", "1 to 1000"),
        ("limit=5&limit=6", "limit", "one whole number"),
        ("offset=-1", "offset", "offset must be one whole number from 0"),
        ("startDate=2025-02-30", "startDate", "startDate must be a date like 2025-01-31 or a timestamp"),
        ("endDate=tomorrow", "endDate", "endDate must be a date like"),
        ("startDate=2025-01-02&endDate=2025-01-01", "endDate", "is before startDate"),
        ("allowed=maybe", "allowed", "allowed must be false or true, not 'maybe'."),
        ("enforcement=block", "enforcement", "hard_block, soft_block or warn"),
        ("policyId=", "policyId", "policyId has an empty value"),
        ("provider=a,,b", "provider", "provider has an empty value"),
        ("model=%00", "model", "U+0000"),
        ("format=xml", "format", "format must be csv or json, not 'xml'."),
        ("format=csv&format=json", "format", "format must be csv or json"),
    ],
)
def test_bad_parameters(api: Api, auditor: str, query: str, param: str, message: str) -> None:
    """A bad value is a 400 that names its parameter and what is allowed."""
    answer = api.ask("GET", f"{PATH}?{query}", auditor)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.json()["error"]["param"] == param
    assert message in answer.json()["error"]["message"]


def test_one_entry(api: Api, tenant: Tenant, auditor: str) -> None:
    """An entry by its id is the one of the list, with its outcome and its proof status."""
    decision = api.decide(tenant.id)
    listed = api.ask("GET", PATH, auditor).json()["logs"][0]
    bare = api.ask("GET", f"{PATH}/{decision.id}", auditor).json()
    assert list(bare) == [*listed, "proof"]
    api.append(tenant.id, Outcome(decision=1, status=200, duration_ms=812, ended="complete", output_tokens=7))
    whole = api.ask("GET", f"{PATH}/{decision.id}", auditor).json()
    assert {name: whole[name] for name in listed} == listed
    assert whole["outcome"] == {"status": 200, "durationMs": 812, "ended": "complete", "outputTokens": 7}
    assert whole["proof"] == bare["proof"] | {"treeSize": 3}
    assert whole["proof"]["status"] == "appended"
    assert whole["proof"]["intact"] is True
    assert whole["proof"]["origin"].endswith(f"/tlog/{tenant.id}/requests/1")


@pytest.mark.parametrize("entry_id", ["audit_nothing", "x" * 500, "%00", "a%0Ab", "%F0%9F%92%A9"])
def test_no_such_entry(api: Api, tenant: Tenant, auditor: str, entry_id: str) -> None:
    """An id that does not exist is a 404, whatever it looks like."""
    api.decide(tenant.id)
    assert api.ask("GET", f"{PATH}/{entry_id}", auditor).status_code == 404


def test_another_organisations_entry(api: Api, auditor: str) -> None:
    """Another organisation's id is answered exactly like one that does not exist, and never listed."""
    foreign = api.tenant()
    theirs, nobodys = api.decide(foreign.id).id, mint_id("audit")
    told = []
    for entry_id in (theirs, nobodys):
        answer = api.ask("GET", f"{PATH}/{entry_id}", auditor)
        assert answer.status_code == 404
        told.append(answer.json()["error"]["message"].replace(entry_id, "…"))
    assert told[0] == told[1]
    assert api.ask("GET", PATH, auditor).json()["pagination"]["total"] == 0
    assert api.ask("GET", f"{PATH}/{theirs}", foreign.keys[Role.AUDITOR]).status_code == 200


@pytest.mark.parametrize(("kind", "media"), [("csv", "text/csv; charset=utf-8"), ("json", "application/json")])
def test_files(api: Api, tenant: Tenant, auditor: str, kind: str, media: str) -> None:
    """With a format, the answer is a file with every entry, and says how many."""
    fill(api, tenant.id, 120)
    answer = api.ask("GET", f"{PATH}?format={kind}", auditor)
    assert answer.headers["content-type"] == media
    assert answer.headers["content-disposition"] == f'attachment; filename="audit-logs.{kind}"'
    assert answer.headers["x-total-count"] == "120"
    rows = answer.json()["logs"] if kind == "json" else list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 120


def test_the_json_file_is_the_list(api: Api, tenant: Tenant, auditor: str) -> None:
    """The file holds the same object as the list, as one page."""
    fill(api, tenant.id, 7)
    whole = api.ask("GET", f"{PATH}?limit=1000", auditor).json()
    file = api.ask("GET", f"{PATH}?format=json", auditor).json()
    assert file["logs"] == whole["logs"]
    assert file["pagination"] == {"total": 7, "limit": 7, "offset": 0, "hasMore": False}


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_part_as_a_file(api: Api, tenant: Tenant, auditor: str, kind: str) -> None:
    """With a limit, the file is that part of the list; with an offset alone, all from there on."""
    ids = fill(api, tenant.id, 7)

    def exported(query: str) -> list[str]:
        answer = api.ask("GET", f"{PATH}?format={kind}&{query}", auditor)
        assert answer.headers["x-total-count"] == "7"
        rows = answer.json()["logs"] if kind == "json" else csv.DictReader(io.StringIO(answer.text))
        return [row["id"] for row in rows]

    assert exported("limit=2&offset=4") == ids[4:6]
    assert exported("offset=4") == ids[4:]
    assert exported("offset=9") == []
