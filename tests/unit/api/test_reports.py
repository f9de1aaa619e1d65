"""`/governance/reports` over HTTP: parameters, forms, and who may see what."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from scriba.domain.record import Hidden
from scriba.domain.timestamp import parse_timestamp
from scriba.storage.model import LogName, Role

if TYPE_CHECKING:
    from httpx2 import Response
    from tests.unit.api.conftest import Api, Tenant

PATH = "/governance/reports"
HOSTILE = '=1+1,"<script>alert(1)</script>\u202e'


@pytest.fixture
def old(api: Api, tenant: Tenant) -> None:
    """Import an allowed and a refused decision of 2025-01-10."""
    from tests.stores import a_decision, in_batches

    time = parse_timestamp("2025-01-10T14:30:00Z")
    refused = {"allowed": False, "provider": "", "requested_provider": HOSTILE, "violation_reasons": (HOSTILE,)}
    hidden = Hidden(user=HOSTILE, tags=("a", "b"))
    api.append(
        tenant.id,
        *in_batches(
            [
                a_decision(tenant.id, source="import", timestamp=time, hidden=Hidden()),
                a_decision(tenant.id, source="import", timestamp=time + 1, model=HOSTILE, hidden=hidden, **refused),
            ]
        ),
        log=LogName.IMPORTS,
    )


def get(api: Api, key: str, query: str = "", path: str = PATH) -> Response:
    """Ask for a report."""
    return api.ask("GET", f"{path}?{query}" if query else path, key)


def report_of(api: Api, key: str, query: str = "") -> Any:
    """Return a report."""
    answer = get(api, key, query)
    assert answer.status_code == 200, answer.text
    return answer.json()["report"]


def test_without_a_period_it_is_the_current_month(api: Api, auditor: str) -> None:
    """Promise: the month until now, in UTC, and the answer says that nobody asked for it."""
    report = report_of(api, auditor)
    assert report["period"]["start"] == datetime.now(UTC).strftime("%Y-%m-01T00:00:00Z")
    assert report["period"]["end"][:16] <= datetime.now(UTC).strftime("%Y-%m-%dT%H:%M")
    assert "none was asked for" in report["chosenPeriod"]["is"]
    assert report["summary"]["totalRequests"] == 0
    assert report["summary"]["complianceRate"] is None
    assert report["providerBreakdown"] == {}


@pytest.mark.usefixtures("old")
@pytest.mark.parametrize(
    ("query", "total"),
    [
        ("period=2025-01-10", 2),
        ("period=2025-W02", 2),
        ("period=2025-Q1", 2),
        ("startDate=2025-01-10&endDate=2025-01-10", 2),
        ("startDate=2025-01-10T14:30:00Z&endDate=2025-01-10T14:30:00.000001Z", 1),
        ("endDate=2025-01-10", 2),
        ("startDate=2025-01-11", 0),
        ("period=2025&allowed=false", 1),
        ("period=2025&allowed=true,false", 2),
        ("period=2025&user=nobody", 0),
        ("period=2025&tag=a", 1),
        ("period=2025&source=gateway", 0),
        ("period=2099", 0),
    ],
)
def test_periods_and_filters(api: Api, auditor: str, query: str, total: int) -> None:
    """Promise: a report takes every filter that lists take, and any period."""
    assert report_of(api, auditor, query)["summary"]["totalRequests"] == total


@pytest.mark.usefixtures("old")
def test_groups_and_series(api: Api, auditor: str) -> None:
    """Promise: groups and series stand there if asked for, and absent values form the group null."""
    report = report_of(api, auditor, "period=2025-01-10&groupBy=user&granularity=daily")
    [absent, named] = sorted(report["groups"], key=lambda row: row["key"] or "")
    assert (absent["key"], absent["name"], absent["requests"]) == (None, None, 1)
    assert (named["key"], named["blocked"]) == (HOSTILE, 1)
    [row] = report["series"]
    assert (row["start"], row["end"]) == ("2025-01-10T00:00:00Z", "2025-01-11T00:00:00Z")
    assert (row["requests"], row["allowed"], row["blocked"], row["warned"]) == (2, 1, 1, 0)
    assert not {"groups", "series"} & set(report_of(api, auditor, "period=2025-01-10"))


def test_the_name_of_a_key(api: Api, tenant: Tenant, auditor: str) -> None:
    """Promise: groups by key say what the key is called."""
    from scriba.storage.model import COMMAND_LINE

    key, _ = api.services.control.create_key(tenant.id, role=Role.APP, name="billing", actor=COMMAND_LINE)
    api.decide(tenant.id, hidden=Hidden(api_key_id=key.id))
    [group] = report_of(api, auditor, "groupBy=apiKey")["groups"]
    assert (group["key"], group["name"]) == (key.id, "billing")


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("period=2025-13", "period"),
        ("period=2025&period=2024", "period"),
        ("period=2025&startDate=2025-01-01", "period"),
        ("startDate=1969-12-31", "startDate"),
        ("endDate=1969-12-30", "endDate"),
        ("startDate=2025-01-02&endDate=2025-01-01", "endDate"),
        ("groupBy=colour", "groupBy"),
        ("groupBy=", "groupBy"),
        ("granularity=yearly", "granularity"),
        ("period=2025&granularity=hourly&granularity=daily", "granularity"),
        ("startDate=1970-01-01&endDate=9999-12-31&granularity=monthly", "granularity"),
        ("endDate=9999-12-31&granularity=yearly", "granularity"),
        ("format=pdf", "format"),
        ("allowed=perhaps", "allowed"),
        ("periode=2025", "periode"),
        ("limit=3", "limit"),
        ("user=%00", "user"),
    ],
)
def test_what_is_refused(api: Api, auditor: str, query: str, param: str) -> None:
    """Promise: a parameter that cannot be right is refused by name, and never widens a report."""
    answer = get(api, auditor, query)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


def test_a_pdf_is_refused_with_the_forms_there_are(api: Api, auditor: str) -> None:
    """Promise: who asks for a form that there is not is told of those there are."""
    assert "json, csv or html" in get(api, auditor, "format=pdf").json()["error"]["message"]


def test_the_whole_calendar_is_a_period(api: Api, auditor: str) -> None:
    """Promise: the last moment that can be written is no special case."""
    report = report_of(api, auditor, "startDate=1970-01-01&endDate=9999-12-31")
    assert report["period"] == {"start": "1970-01-01T00:00:00Z", "end": "9999-12-31T23:59:59Z"}
    assert report["chosenPeriod"]["endExclusive"] is None


@pytest.mark.usefixtures("old")
def test_csv(api: Api, auditor: str) -> None:
    """Promise: one fact a line in four columns, with the figures of the JSON form; no cell runs as a formula."""
    answer = get(api, auditor, "period=2025-01-10&groupBy=user&granularity=daily&format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    rows = list(csv.reader(io.StringIO(answer.text, newline="")))
    assert rows[0] == ["section", "item", "field", "value"]
    assert {len(row) for row in rows} == {4}
    facts = {tuple(row[:3]): row[3] for row in rows[1:]}
    assert facts["summary", "", "totalRequests"] == "2"
    assert facts["providerBreakdown", "openai", "requests"] == "1"
    assert facts["providerBreakdown", "'" + HOSTILE, "blocked"] == "1"
    assert facts["blockedRequests", "1", "model"] == "'" + HOSTILE
    assert facts["groups", "(none)", "requests"] == "1"
    assert facts["series", "2025-01-10T00:00:00Z", "blocked"] == "1"
    assert facts["report", "", "complianceStatus"] == "COMPLIANT"
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)


@pytest.mark.usefixtures("old")
def test_the_page(api: Api, auditor: str) -> None:
    """Promise: the page loads and runs nothing, whatever entries are called, and holds the figures."""
    answer = get(api, auditor, "period=2025-01-10&groupBy=model&granularity=daily&format=html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert re.findall(r'(?:src|href)="([^"]*)"', answer.text) == ["data:,"]
    assert "Compliant" in answer.text
    assert "2025-01-10T00:00:00Z" in answer.text


@pytest.mark.usefixtures("old")
def test_again(api: Api, auditor: str, tenant: Tenant) -> None:
    """Promise: a report comes out again in every form, to nobody else, and what arrived since is not in it."""
    first = report_of(api, auditor, "period=2025")
    api.decide(tenant.id)
    path = f"{PATH}/{first['id']}"
    again = get(api, auditor, path=path).json()["report"]
    assert again["summary"] == first["summary"]
    assert again["checkpoint"] == first["checkpoint"]
    assert again["generatedAt"] == first["generatedAt"] < again["recomputedAt"]
    assert "computed again" in get(api, auditor, "format=html", path).text
    assert get(api, auditor, "format=csv", path).status_code == 200
    assert get(api, auditor, "period=2024", path).status_code == 400
    stranger = api.tenant().keys[Role.AUDITOR]
    answers = [get(api, stranger, path=f"{PATH}/{report_id}") for report_id in (first["id"], "rpt_nobody")]
    assert [answer.status_code for answer in answers] == [404, 404]
    messages = [answer.json()["error"]["message"] for answer in answers]
    assert messages[0].replace(first["id"], "X") == messages[1].replace("rpt_nobody", "X")


def test_controls_name_a_query_that_works(api: Api, auditor: str, tenant: Tenant) -> None:
    """Promise: the query beside a control can be sent as it stands, and each framework is there."""
    api.decide(tenant.id, model="a&b")
    report = report_of(api, auditor, "model=a%26b")
    assert {row["framework"] for row in report["controls"]} == {
        "SOC 2",
        "ISO/IEC 42001",
        "NIST AI RMF",
        "HIPAA",
        "EU AI Act",
    }
    for query in {row["query"] for row in report["controls"]}:
        method, _, path = query.partition(" ")
        if path == "/governance/retention":
            continue
        answer = api.ask(method, path, auditor)
        assert answer.status_code == 200, query
        if "audit-logs" in path and "allowed" not in path:
            assert answer.json()["pagination"]["total"] == 1


def test_figures_are_plain_json_numbers(api: Api, auditor: str, tenant: Tenant) -> None:
    """Promise: a rate of 100 is written as 100, and only if nothing was refused."""
    api.decide(tenant.id)
    assert b'"complianceRate":100,' in get(api, auditor).content
    api.decide(tenant.id, allowed=False, provider="")
    assert b'"complianceRate":50,' in get(api, auditor).content
    api.decide(tenant.id)
    assert json.loads(get(api, auditor).content)["report"]["summary"]["complianceRate"] == 66.66
