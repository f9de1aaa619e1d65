"""`/governance/audit-logs` over HTTP."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from scriba.api.query import FilterFields
from scriba.domain.filter import FILTER_NAMES
from scriba.domain.ids import mint_id
from scriba.domain.record import Outcome
from scriba.storage.model import Role
from scriba.storage.tables import logs, records

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
    assert answer.json()["pagination"] | {"nextCursor": ""} == {
        "total": 5,
        "limit": 2,
        "offset": 0,
        "hasMore": True,
        "nextCursor": "",
        "completeUpTo": None,
    }
    assert list(answer.json()["pagination"])[:4] == ["total", "limit", "offset", "hasMore"]
    assert answer.headers["x-total-count"] == "5"


@pytest.mark.parametrize(("offset", "found", "more"), [(3, 2, False), (2, 2, True), (5, 0, False), (9, 0, False)])
def test_the_end_of_a_list(api: Api, tenant: Tenant, auditor: str, offset: int, found: int, *, more: bool) -> None:
    """`hasMore` is right at the edges, also past them."""
    ids = fill(api, tenant.id, 5)
    answer = api.ask("GET", f"{PATH}?limit=2&offset={offset}", auditor).json()
    assert [entry["id"] for entry in answer["logs"]] == ids[offset : offset + found]
    pagination = answer["pagination"]
    assert {name: pagination[name] for name in ("total", "limit", "offset")} == {
        "total": 5,
        "limit": 2,
        "offset": offset,
    }
    assert pagination["hasMore"] is more is ("nextCursor" in pagination)


def test_nothing_yet(api: Api, auditor: str) -> None:
    """An organisation without entries has an empty list, not an error."""
    assert api.ask("GET", PATH, auditor).json() == {
        "logs": [],
        "pagination": {"total": 0, "limit": 100, "offset": 0, "hasMore": False, "completeUpTo": None},
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
        ("format=xml", "format", "format must be csv, json or ndjson (also called jsonl), not 'xml'."),
        ("format=csv&format=json", "format", "format must be csv, json or ndjson"),
        ("format=parquet", "format", "format must be csv, json or ndjson"),
        ("order=up", "order", "order must be asc or desc, not 'up'."),
        ("include=proof", "include", "include must be outcome, not 'proof'."),
        ("columns=id", "columns", "columns goes with format=csv alone"),
        ("format=csv&columns=id,modle", "columns", "Did you mean model?"),
        ("cursor=abc", "cursor", "cursor must be the `nextCursor` of an earlier answer"),
        ("cursor=abc&offset=0", "cursor", "offset must be left out"),
        ("cursor=abc&format=csv", "cursor", "a file without limit has none"),
        ("cursor=a&cursor=b", "cursor", "cursor can be given once"),
        ("policySlot=13", "policySlot", "a whole number from 1 to 12"),
        ("ipAddress=10.0.0.1/8", "ipAddress", "The network is 10.0.0.0/8"),
        ("source=demo", "source", "evaluate, gateway, import or ingest"),
        ("polcyId=x", "polcyId", "Did you mean policyId?"),
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
    name = api.services.control.refresh().organisations[tenant.id].name
    answer = api.ask("GET", f"{PATH}?format={kind}", auditor)
    assert answer.headers["content-type"] == media
    assert answer.headers["content-disposition"] == f'attachment; filename="audit-logs-{name}.{kind}"'
    assert answer.headers["x-total-count"] == "120"
    rows = answer.json()["logs"] if kind == "json" else list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 120


def test_the_json_file_is_the_list(api: Api, tenant: Tenant, auditor: str) -> None:
    """The file holds the same object as the list, as one page."""
    fill(api, tenant.id, 7)
    whole = api.ask("GET", f"{PATH}?limit=1000", auditor).json()
    file = api.ask("GET", f"{PATH}?format=json", auditor).json()
    assert file["logs"] == whole["logs"]
    assert file["pagination"] == {"total": 7, "limit": 7, "offset": 0, "hasMore": False, "completeUpTo": None}


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


@pytest.mark.parametrize("order", ["desc", "asc"])
def test_pages_by_cursor(api: Api, tenant: Tenant, auditor: str, order: str) -> None:
    """Promise: a cursor goes through the list once, whatever arrives meanwhile, and fits no other list."""
    ids = fill(api, tenant.id, 7)
    seen, query = [], f"limit=3&order={order}&provider=openai,deepseek"
    cursor = ""
    while True:
        answer = api.ask("GET", f"{PATH}?{query}{cursor}", auditor).json()
        seen += [entry["id"] for entry in answer["logs"]]
        if not answer["pagination"]["hasMore"]:
            break
        cursor = f"&cursor={answer['pagination']['nextCursor']}"
        ids = [api.decide(tenant.id).id, *ids]
    assert seen == (ids[2:] if order == "desc" else ids[::-1])
    for other in (f"limit=3&provider=openai{cursor}", f"limit=3&order=asc{cursor}", f"{query}{cursor}x"):
        refused = api.ask("GET", f"{PATH}?{other}", auditor)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "cursor")


def test_complete_up_to(api: Api, tenant: Tenant, auditor: str) -> None:
    """Promise: without imports, an answer says up to when nothing can arrive any more."""
    fill(api, tenant.id, 3)
    answer = api.ask("GET", f"{PATH}?source=gateway,ingest", auditor).json()
    assert answer["pagination"]["completeUpTo"] == answer["logs"][0]["timestamp"]
    for query in ("source=gateway,import", "limit=1"):
        assert api.ask("GET", f"{PATH}?{query}", auditor).json()["pagination"]["completeUpTo"] is None


def test_outcomes_are_included_where_asked_for(api: Api, tenant: Tenant, auditor: str) -> None:
    """Promise: `include=outcome` tells how each call ended, in lists and in files; nothing else changes."""
    fill(api, tenant.id, 3)
    api.append(tenant.id, Outcome(decision=2, status=200, duration_ms=812, ended="complete", output_tokens=7))
    plain = api.ask("GET", PATH, auditor).json()["logs"]
    told = api.ask("GET", f"{PATH}?include=outcome", auditor).json()["logs"]
    outcome = {"status": 200, "durationMs": 812, "ended": "complete", "outputTokens": 7}
    assert told == [plain[0], plain[1] | {"outcome": outcome}, plain[2]]
    lines = api.ask("GET", f"{PATH}?include=outcome&format=ndjson", auditor).text.splitlines()
    assert [json.loads(line) for line in lines] == told
    for query in ("columns=id,outcome.durationMs", "include=outcome"):
        text = api.ask("GET", f"{PATH}?format=csv&{query}", auditor).text
        assert [row["outcome.durationMs"] for row in csv.DictReader(io.StringIO(text))] == ["", "812", ""]


def test_an_export_is_written_down_before_it_is_given(api: Api, tenant: Tenant, auditor: str) -> None:
    """Promise: the admin log says who took how many entries of what; personal values are counted, not told."""
    fill(api, tenant.id, 4)
    query = "format=csv&allowed=true,false&model=gpt*&user=ana,bo&startDate=2020-01-01"
    assert api.ask("GET", f"{PATH}?{query}&model=deep*", auditor).status_code == 200
    assert api.ask("GET", f"{PATH}?format=jsonl&limit=3", auditor).status_code == 200
    assert api.ask("GET", PATH, auditor).status_code == 200
    table = records.join(logs, logs.c.id == records.c.log_id)
    this = (logs.c.org_id == tenant.id) & (logs.c.log == "admin") & records.c.detail.contains("export.made")
    with api.services.store.database.read() as connection:
        found = connection.execute(select(records).select_from(table).where(this).order_by(records.c.seq)).all()
    events = [json.loads(row.detail) for row in found]
    assert [event["detail"] for event in events] == [
        {
            "count": 0,
            "format": "csv",
            "filters": {
                "allowed": ["true,false"],
                "model": ["gpt*", "deep*"],
                "startDate": ["2020-01-01"],
                "user": 2,
            },
        },
        {"count": 3, "format": "ndjson"},
    ]
    assert {row.actor for row in found} == {api.services.authenticator.identify(auditor).key_id}


def test_every_filter_is_a_parameter() -> None:
    """Promise: the query string takes exactly the filters that there are."""
    names = [field.alias for field in FilterFields.model_fields.values()]
    assert names == list(FILTER_NAMES)
