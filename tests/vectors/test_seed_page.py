"""The page of the public contract, walked from top to bottom: every request as printed, every answer compared.

The page is https://docs.case.dev/governance/audit. Only the host and the key of its curl lines are changed. Where a
sample's values follow from the log that it is about, as in lists, reports and CSV, they are compared too; that log is
brought in by the import that history takes.
"""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

import pytest
from tests.asking import ask
from tests.receiver import receiving
from tests.running import serving, settings_in

from scriba.storage.model import COMMAND_LINE, Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.asking import Answered
    from tests.receiver import Receiver
    from tests.running import Running

FOLDER: Final = Path(__file__).parent
LIST: Final[dict[str, Any]] = json.loads((FOLDER / "seed_audit_logs.json").read_text("utf-8"))
REPORT: Final[dict[str, Any]] = json.loads((FOLDER / "seed_report.json").read_text("utf-8"))["report"]
PAYLOAD: Final[dict[str, Any]] = json.loads((FOLDER / "seed_webhook.json").read_text("utf-8"))
CSV: Final = (FOLDER / "seed_audit_logs.csv").read_bytes()

HOST: Final = "https://api.case.dev"
KEY: Final = "sk_case_xxx"
RECEIVER: Final = "https://your-siem.example.com/webhooks/case"
SETTINGS: Final = """
[providers.sandbox]
enabled = true
[webhooks]
allowed_networks = ["127.0.0.0/8"]
allowed_ports = [0]
allow_http = true
"""
HIPAA: Final[dict[str, Any]] = {
    "name": "Production - HIPAA",
    "tagSlot": 1,
    "isDefault": True,
    "rules": {"blockChinaProviders": True, "minimumTrustTier": "most_trusted", "enforcement": "hard_block"},
}


class Page(NamedTuple):
    """A server, and keys of an organisation whose log is the one that the samples show."""

    server: Running
    admin: str
    app: str

    def curl(self, line: str) -> Answered:
        """Send what a printed line says, with another host and key, and return the answer."""
        words = shlex.split(line.replace("\\\n", "").replace(KEY, self.admin))
        assert words.pop(0) == "curl"
        url, body, method, headers = "", b"", "GET", []
        while words:
            match words.pop(0):
                case "-H":
                    name, _, value = words.pop(0).partition(": ")
                    headers.append((name, value))
                case "-d":
                    body = words.pop(0).encode()
                case "-X":
                    method = words.pop(0)
                case "-o":
                    words.pop(0)
                case word:
                    url = word
        assert url.startswith(HOST)
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return ask(self.server.url, "", body, headers, method=method, path=path)

    def read(self, line: str) -> Any:
        """Return the JSON that a printed line is answered with."""
        answer = self.curl(line)
        assert answer.status == 200, answer.body
        assert answer.headers["content-type"] == "application/json"
        return json.loads(answer.body)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Run a receiver of webhooks."""
    with receiving() as running:
        yield running


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Page]:
    """Run a server with the log that the samples are about."""
    toml = SETTINGS.replace("[0]", f"[{urlsplit(receiver.url).port}]")
    with serving(settings_in(tmp_path_factory.mktemp("page"), toml)) as server:
        page = _page(server)
        entries = [*_sampled(), *_others()]
        for start in range(0, len(entries), 10_000):
            batch = entries[start : start + 10_000]
            answer = ask(server.url, page.admin, batch, path="/governance/imports")
            assert answer.status in {200, 201}, answer.body
        yield page


def _page(server: Running) -> Page:
    """Make an organisation of its own, whose log is still empty."""
    tenant = server.tenant()
    _, admin = server.services.control.create_key(tenant.id, role=Role.ADMIN, actor=COMMAND_LINE)
    return Page(server, admin, tenant.app)


def _sampled() -> list[dict[str, Any]]:
    """Return the two entries of the sample list, with the address that the samples of reports and webhooks show."""
    extra = {"requestedProvider": "deepseek", "ipAddress": "203.0.113.42"}
    allowed, blocked = LIST["logs"]
    return [allowed, {**blocked, **extra}]


def _others() -> Iterator[dict[str, Any]]:
    """Yield the rest of the 15 420 entries, which the samples count but do not show."""
    for provider, model, count in (("anthropic", "claude-sonnet-4-20250514", 10_249), ("openai", "gpt-4o", 5_169)):
        for number in range(count):
            yield {
                "id": f"audit_{provider}{number}",
                "requestId": f"req_{provider}{number}",
                "timestamp": "2025-01-05T08:00:00Z",
                "model": model,
                "provider": provider,
                "policyId": "gpol_xxx",
                "policyName": "Production - HIPAA",
                "policySlot": 1,
                "allowed": True,
                "enforcement": "hard_block",
            }


def _assert_like(answer: object, printed: object, where: str = "answer") -> None:
    """Assert the printed names and the kinds of their values, at every depth; what an answer adds stands behind."""
    if isinstance(printed, dict):
        assert isinstance(answer, dict), where
        assert list(answer)[: len(printed)] == list(printed), where
        for name, value in printed.items():
            _assert_like(answer[name], value, f"{where}.{name}")
    elif isinstance(printed, list):
        assert isinstance(answer, list), where
        for item in answer:
            _assert_like(item, printed[0], f"{where}[]")
    else:
        assert type(answer) is type(printed), where


# Query audit logs


def test_query(page: Page) -> None:
    """Promise: the first list has the printed fields in their order, and the page that the sample describes."""
    listed = page.read(f'curl "{HOST}/governance/audit-logs?limit=100" \\\n  -H "Authorization: Bearer {KEY}"')
    assert list(listed) == list(LIST)
    assert list(listed["pagination"].items())[:4] == list(LIST["pagination"].items())
    for entry, printed in zip(reversed(listed["logs"][:2]), LIST["logs"], strict=True):
        assert list(entry.items())[: len(printed)] == list(printed.items())


# Filter audit logs


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ("policyId=gpol_xxx", 15_420),
        ("allowed=false", 1),
        ("startDate=2025-01-01&endDate=2025-01-31", 15_420),
        ("provider=anthropic", 10_250),
    ],
)
def test_filters(page: Page, query: str, total: int) -> None:
    """Promise: each printed filter counts what its heading says."""
    listed = page.read(f'curl "{HOST}/governance/audit-logs?{query}" \\\n  -H "Authorization: Bearer {KEY}"')
    assert listed["pagination"]["total"] == total


# Compliance reports


def test_compliance_report(page: Page) -> None:
    """Promise: the report has every printed key in its order, and every value that the log fixes."""
    line = f'curl "{HOST}/governance/reports?period=2025-01&policyId=gpol_xxx" \\\n  -H "Authorization: Bearer {KEY}"'
    report = page.read(line)["report"]
    _assert_like(report, REPORT)
    for name, printed in REPORT.items():
        if name not in {"id", "generatedAt", "summary"}:
            assert report[name] == printed, name
    assert list(report["summary"].items())[: len(REPORT["summary"])] == list(REPORT["summary"].items())
    assert list(report["providerBreakdown"]) == list(REPORT["providerBreakdown"])
    assert report["id"].startswith("rpt_")


# Export formats


def test_csv_export(page: Page) -> None:
    """Promise: the file begins with the printed bytes, newest first, and holds every entry."""
    line = f"""curl "{HOST}/governance/audit-logs?format=csv&startDate=2025-01-01&endDate=2025-01-31" \\
      -H "Authorization: Bearer {KEY}" \\
      -o audit-logs-january.csv"""
    answer = page.curl(line)
    assert answer.status == 200
    header, *printed = CSV.splitlines(keepends=True)
    lines = answer.body.splitlines(keepends=True)
    assert lines[:3] == [header, *reversed(printed)]
    assert len(lines) == 15_421
    assert answer.headers["x-total-count"] == "15420"


def test_json_export(page: Page) -> None:
    """Promise: the JSON file is the list, whole."""
    line = f"""curl "{HOST}/governance/audit-logs?format=json&startDate=2025-01-01&endDate=2025-01-31" \\
      -H "Authorization: Bearer {KEY}" \\
      -o audit-logs-january.json"""
    file = page.read(line)
    assert list(file) == list(LIST)
    assert len(file["logs"]) == file["pagination"]["total"] == 15_420
    for entry, printed in zip(reversed(file["logs"][:2]), LIST["logs"], strict=True):
        assert list(entry.items())[: len(printed)] == list(printed.items())


# Log retention


def test_retention_tiers(page: Page) -> None:
    """Promise: the three tiers keep entries for 7, 30 and 90 days, and enterprise for any number of days."""
    for tier, days in (("free", 7), ("pro", 30), ("enterprise", 90)):
        answer = ask(page.server.url, page.admin, {"tier": tier}, method="PATCH", path="/governance/retention")
        assert answer.status == 200, answer.body
        assert json.loads(answer.body)["effectiveDays"] == days
    answer = ask(page.server.url, page.admin, {"retentionDays": 2_557}, method="PATCH", path="/governance/retention")
    assert json.loads(answer.body)["effectiveDays"] == 2_557


# Webhook events


def test_webhook_events(page: Page, receiver: Receiver) -> None:
    """Promise: an endpoint made by the printed line is sent the printed payload when a request is blocked."""
    page = _page(page.server)  # what is asked here would be one entry more in the log that the other samples count
    line = f"""curl -X POST {HOST}/webhooks \\
      -H "Authorization: Bearer {KEY}" \\
      -H "Content-Type: application/json" \\
      -d '{{
        "url": "{RECEIVER}",
        "events": ["governance.request.blocked", "governance.request.warned"],
        "secret": "whsec_xxx"
      }}'"""
    answer = page.curl(line.replace(RECEIVER, receiver.url))
    assert answer.status == 201, answer.body
    assert json.loads(answer.body)["endpoint"]["id"].startswith("evsub_")
    assert ask(page.server.url, page.admin, HIPAA, path="/governance").status == 201
    asked = {"model": "deepseek-chat", "messages": [{"role": "user", "content": "Hello"}]}
    refused = ask(page.server.url, page.app, asked)
    assert refused.status == 403
    (sent,) = receiver.wait_for(1)
    body = json.loads(sent.body)
    _assert_like(body, PAYLOAD)
    assert body["id"].startswith("evt_")
    assert body["type"] == PAYLOAD["type"]
    assert list(body["data"]) == list(PAYLOAD["data"])
    same = ("model", "provider", "policyName", "violations")
    assert [body["data"][name] for name in same] == [PAYLOAD["data"][name] for name in same]
    assert body["data"]["requestId"] == refused.headers["x-request-id"]


# Sample queries


def test_blocked_this_month(page: Page) -> None:
    """Promise: the query of blocked requests since the first of last month is understood as printed."""
    first = (datetime.now(UTC).replace(day=1) - timedelta(days=1)).strftime("%Y-%m-01")
    line = f"""curl "{HOST}/governance/audit-logs?allowed=false&startDate=$(date -v-1m +%Y-%m-01)" \\
      -H "Authorization: Bearer {KEY}\""""
    listed = page.read(line.replace("$(date -v-1m +%Y-%m-01)", first))
    assert all(entry["allowed"] is False and entry["timestamp"] >= first for entry in listed["logs"])


def test_provider_usage_by_policy(page: Page) -> None:
    """Promise: without a period the report is of the current month, in groups by provider."""
    line = f'curl "{HOST}/governance/reports?groupBy=provider&policyId=gpol_xxx" \\\n  -H "Authorization: Bearer {KEY}"'
    report = page.read(line)["report"]
    assert report["period"]["start"] == datetime.now(UTC).strftime("%Y-%m-01T00:00:00Z")
    assert report["groups"] == []


def test_daily_compliance_summary(page: Page) -> None:
    """Promise: a day's report has one bucket, with the two requests of that day."""
    line = f"""curl "{HOST}/governance/reports?period=2025-01-10&granularity=daily" \\
      -H "Authorization: Bearer {KEY}\""""
    report = page.read(line)["report"]
    assert report["summary"]["totalRequests"] == 2
    assert report["series"] == [
        {
            "start": "2025-01-10T00:00:00Z",
            "end": "2025-01-11T00:00:00Z",
            "requests": 2,
            "allowed": 1,
            "blocked": 1,
            "warned": 0,
        }
    ]
