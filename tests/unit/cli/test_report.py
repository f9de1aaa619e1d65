"""`scriba report`: a file with a report, in words on the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update
from tests.stores import a_decision, in_batches

from scriba.cli.opening import open_existing
from scriba.domain.timestamp import parse_timestamp
from scriba.storage.hot import pending
from scriba.storage.model import LogId, LogName
from scriba.storage.tables import records

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Scriba


@pytest.fixture(autouse=True)
def _entries(scriba: Scriba, acme: str) -> None:
    """Import an allowed and a refused decision of January 2025."""
    assert scriba("db", "check").code == 0
    time = parse_timestamp("2025-01-10T14:30:00Z")
    common = {"source": "import", "timestamp": time}
    decisions = [
        a_decision(acme, **common),
        a_decision(acme, **common, allowed=False, provider="", requested_provider="deepseek", model="deepseek-chat"),
    ]
    with open_existing(None) as opened, opened.store.database.write() as connection:
        opened.store.hot.append(
            connection, [pending(LogId(acme, LogName.IMPORTS), one) for one in in_batches(decisions)]
        )


def test_a_file_of_each_form(scriba: Scriba) -> None:
    """Promise: each form is written to the file, and the terminal tells the status and why."""
    for form, start in (("json", '{"report":{"id":"rpt_'), ("csv", "section,"), ("html", "<!doctype html>")):
        result = scriba("report", "--org", "acme", "--period", "2025-01", "--format", form, "-o", f"january.{form}")
        assert result.code == 0, result.err
        assert Path(f"january.{form}").read_text("utf-8").startswith(start)
        assert result.out.startswith("COMPLIANT: 2 requests, 1 blocked\n")
        assert "No request that broke its policy reached a provider." in result.out
        assert f"was written to january.{form}." in result.out
    assert [path.name for path in Path.cwd().glob(".*.part")] == []


def test_filters_groups_and_series(scriba: Scriba) -> None:
    """Promise: the same parameters as over HTTP, with the same meaning."""
    result = scriba(
        *("report", "--org", "acme", "--start-date", "2025-01-10", "--end-date", "2025-01-10", "--allowed", "false"),
        *("--group-by", "model", "--granularity", "daily", "-o", "-"),
    )
    report = json.loads(result.out)["report"]
    assert report["summary"]["totalRequests"] == 1
    assert [group["key"] for group in report["groups"]] == ["deepseek-chat"]
    assert len(report["series"]) == 1


def test_json(scriba: Scriba) -> None:
    """Promise: programs are told the id, the file and the status."""
    result = scriba("report", "--org", "acme", "--period", "2025", "-o", "r.json", "--json")
    report = json.loads(Path("r.json").read_text("utf-8"))["report"]
    assert result.json == {"report": report["id"], "file": "r.json", "complianceStatus": "COMPLIANT"}
    assert report["verifiedTo"] == report["checkpoint"]["treeSize"]


def test_a_log_that_was_changed(scriba: Scriba) -> None:
    """Promise: the report is written all the same, and says that the log is not what was written."""
    with open_existing(None) as opened, opened.store.database.write() as connection:
        connection.execute(update(records).where(records.c.type == "decision").values(model="x"))
    result = scriba("report", "--org", "acme", "--period", "2025", "-o", "r.json")
    assert result.code == 0
    assert result.out.startswith("NON_COMPLIANT: 2 requests")
    assert "was changed" in result.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--period", "2025-13", "-o", "r"), "--period must be a year, quarter"),
        (("--period", "2025", "--start-date", "2025-01-01", "-o", "r"), "--start-date exclude each other"),
        (("--format", "pdf", "-o", "r"), "'json', 'csv', 'html'"),
        (("--period", "2025"), "Missing option '-o'"),
        (("--policy-id", "gpol_nobody", "-o", "r"), "There is no policy 'gpol_nobody'"),
    ],
)
def test_wrong_use(scriba: Scriba, arguments: tuple[str, ...], said: str) -> None:
    """Promise: who mistypes something is told of the option, and no file is left behind."""
    result = scriba("report", "--org", "acme", *arguments)
    assert result.code == 2
    assert said in result.err
    assert not Path("r").exists()
