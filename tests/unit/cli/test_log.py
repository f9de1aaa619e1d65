"""Entries from the command line: the same filters and the same answers as over HTTP."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.stores import a_decision

from scriba.cli.opening import open_existing
from scriba.storage.hot import pending
from scriba.storage.model import LogId, LogName

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Scriba

CHINA = (
    "Provider 'deepseek' is China-based and blocked by policy",
    "Provider 'deepseek' does not meet minimum trust tier 'most_trusted'",
)


@pytest.fixture
def entries(scriba: Scriba, acme: str) -> list[str]:
    """Write an allowed, a blocked and a warned decision, oldest first, and return their ids."""
    assert scriba("db", "check").code == 0
    decisions = [
        a_decision(acme, policy_id="gpol_1", policy_name="Production"),
        a_decision(
            acme,
            model="deepseek-chat",
            allowed=False,
            provider="",
            requested_provider="deepseek",
            violation_reasons=CHINA,
        ),
        a_decision(acme, model="gpt-4o-mini", enforcement="warn", violation_reasons=("Provider 'x' is odd",)),
    ]
    with open_existing(None) as opened:
        for decision in decisions:
            with opened.store.database.write() as connection:
                opened.store.hot.append(connection, [pending(LogId(acme, LogName.REQUESTS), decision)])
    return [decision.id for decision in decisions]


def test_query_shows_entries_newest_first(scriba: Scriba, entries: list[str]) -> None:
    """In words, with short reasons, every id whole, and how many there are on standard error."""
    result = scriba("log", "query", "--org", "acme")
    rows = result.out.splitlines()[1:]
    assert [row.split()[-1] for row in rows] == entries[::-1]
    assert [row.split()[2] for row in rows] == ["warned", "blocked", "allowed"]
    assert "China-based provider blocked" in rows[1]
    assert "Provider 'x' is odd" in rows[0]
    assert result.err == "1 to 3 of 3 entries.\n"


def test_query_answers_machines_like_the_api(scriba: Scriba, entries: list[str]) -> None:
    """The same object as `GET /governance/audit-logs`, with the exact total."""
    answer = scriba("log", "query", "--org", "acme", "--limit", "2", "--offset", "1", "--json").json
    pagination = {"total": 3, "limit": 2, "offset": 1, "hasMore": False, "completeUpTo": None}
    assert answer["pagination"] == pagination
    blocked, allowed = answer["logs"]
    assert (blocked["id"], allowed["id"]) == (entries[1], entries[0])
    assert blocked["provider"] is None
    assert blocked["violationReasons"] == list(CHINA)
    assert "violationReasons" not in allowed


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["--allowed", "false"], [1]),
        (["--allowed", "true", "--enforcement", "warn"], [2]),
        (["--provider", "deepseek"], [1]),
        (["--model", "gpt-4o*"], [2, 0]),
        (["--model", "gpt-4o", "--model", "deepseek-chat"], [1, 0]),
        (["--policy-id", "gpol_1"], [0]),
        (["--start-date", "2001-01-01", "--end-date", "2001-12-31"], []),
        (["--start-date", "2001-01-01"], [2, 1, 0]),
        (["--order", "asc"], [0, 1, 2]),
        (["--violation", "China-based provider", "--ip-address", "203.0.113.0/24"], [1]),
        (["--tag", "é", "--source", "gateway", "--source", "import"], [2, 1, 0]),
        (["--policy-slot", "3"], []),
    ],
)
def test_filters(scriba: Scriba, entries: list[str], filters: list[str], found: list[int]) -> None:
    """Each narrows the list; one that is repeated means any of its values."""
    answer = scriba("log", "query", "--org", "acme", *filters, "--json").json
    assert [entry["id"] for entry in answer["logs"]] == [entries[number] for number in found]
    assert answer["pagination"]["total"] == len(found)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--start-date", "2025-02-30"], "--start-date"),
        (["--start-date", "2025-02-02", "--end-date", "2025-01-01"], "--end-date 2025-01-01 is before --start-date"),
        (["--policy-id", ""], "--policy-id has an empty value"),
        (["--allowed", "maybe"], "'true', 'false'"),
        (["--policy-slot", "13"], "--policy-slot must be a whole number from 1 to 12"),
        (["--ip-address", "x"], "--ip-address must be an address like"),
        (["--limit", "0"], "1<=x<=1000"),
        (["--offset", "-1"], "x>=0"),
    ],
)
def test_a_wrong_filter_is_refused(scriba: Scriba, acme: str, arguments: list[str], says: str) -> None:
    """With what is allowed, and exit code 2."""
    result = scriba("log", "query", "--org", acme, *arguments)
    assert result.code == 2
    assert says in result.err
    assert "Date" not in result.err


def test_nothing_to_show_says_why(scriba: Scriba, entries: list[str]) -> None:
    """An empty log, a filter that matches nothing, and an offset past the end are three things."""
    assert entries
    assert scriba("org", "create", "other").code == 0
    assert "has no entries yet" in scriba("log", "query", "--org", "other").out
    assert "No entry of acme matches" in scriba("log", "query", "--org", "acme", "--provider", "xai").out
    assert "past the last one" in scriba("log", "query", "--org", "acme", "--offset", "9").out


def test_the_next_page_is_named(scriba: Scriba, entries: list[str]) -> None:
    """The options it gives work."""
    result = scriba("log", "query", "--org", "acme", "--limit", "2")
    more = result.err.strip().partition("Next: ")[2]
    rest = scriba("log", "query", "--org", "acme", "--limit", "2", *more.split())
    assert rest.out.splitlines()[1].split()[-1] == entries[0]


def test_show_tells_everything_about_one_entry(scriba: Scriba, acme: str, entries: list[str]) -> None:
    """For machines as over HTTP; for people in lines, one for each reason."""
    fields = scriba("log", "show", entries[1], "--json").json
    assert fields["orgId"] == acme
    assert fields["proof"]["intact"] is True
    shown = scriba("log", "show", entries[1], "--org", "acme").out
    assert shown.splitlines()[0].strip()
    for line in ("allowed", "no"), ("model", "deepseek-chat"), ("provider", "none"), ("proof intact", "yes"):
        assert any(row.strip().startswith(line[0]) and row.strip().endswith(line[1]) for row in shown.splitlines()), (
            line
        )
    assert all(reason in shown for reason in CHINA)


def test_show_guesses_no_organisation(scriba: Scriba, acme: str, entries: list[str]) -> None:
    """Promise: an id that an import brought into a second organisation is never answered with the wrong entry."""
    other = scriba("org", "create", "other", "--json").json["id"]
    with open_existing(None) as opened, opened.store.database.write() as connection:
        copy = a_decision(other, id=entries[0], model="a-copy")
        opened.store.hot.append(connection, [pending(LogId(other, LogName.REQUESTS), copy)])
    result = scriba("log", "show", entries[0])
    assert (result.code, "in each of acme and other" in result.err, "--org" in result.err) == (2, True, True)
    assert scriba("log", "show", entries[0], "--org", "acme", "--json").json["orgId"] == acme
    assert scriba("log", "show", entries[0], "--org", "other", "--json").json["model"] == "a-copy"


def test_show_finds_nothing_in_another_organisation(scriba: Scriba, entries: list[str]) -> None:
    """Just as if it did not exist."""
    assert scriba("org", "create", "other").code == 0
    for arguments in ([entries[0], "--org", "other"], ["audit_01jd8x4k2v7m9n3p5q6r8s0t1w"]):
        result = scriba("log", "show", *arguments)
        assert result.code == 2
        assert "There is no entry" in result.err


def test_tail_follows_what_another_process_logs(scriba: Scriba, acme: str, entries: list[str]) -> None:
    """Promise: first the newest that match, then each that matches once, as it is logged, whoever logs it."""
    assert scriba("log", "query", "--org", acme).code == 0
    arguments = [sys.executable, "-m", "scriba", "log", "tail", "--org", acme, "--allowed", "true", "-n", "1", "--json"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process, open_existing(None) as opened:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["id"] == entries[2]
        made = [a_decision(acme, allowed=number % 2 == 0) for number in range(5)]
        with opened.store.database.write() as connection:
            items = [pending(LogId(acme, LogName.REQUESTS), decision) for decision in made]
            opened.store.hot.append(connection, items)
        told = [json.loads(process.stdout.readline())["id"] for _ in range(3)]
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == ""
    assert told == [made[0].id, made[2].id, made[4].id]
    assert process.returncode == 130
