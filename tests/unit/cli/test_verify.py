"""`scriba verify` says yes only to logs that are what was written."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Scriba

KEY_CREATED = "type = 'event' AND log_id = (SELECT id FROM logs WHERE org_id != '' AND log = 'admin')"


def tamper(statement: str) -> None:
    """Change the database behind the program's back."""
    with closing(sqlite3.connect("data/scriba.db")) as connection, connection:
        assert connection.execute(statement).rowcount == 1


@pytest.fixture
def key_id(scriba: Scriba, acme: str) -> str:
    """Make a key, so that the log `admin` has an event."""
    made: str = scriba("key", "create", "--org", acme, "--role", "app", "--json").json["id"]
    return made


def test_an_intact_log_is_said_to_be_so_in_plain_words(scriba: Scriba, key_id: str) -> None:
    """All three logs, how many records, and what that means; exit code 0."""
    assert key_id
    result = scriba("verify", "--org", "acme")
    assert result.code == 0
    assert result.out.splitlines()[:3] == [
        "requests: 1 record, intact",
        "imports: 1 record, intact",
        "admin: 2 records, intact",
    ]
    assert "Verified 4 records of acme. Each record is there once, in its place, and unchanged" in result.out
    assert result.err == ""


def test_one_log_may_be_asked_for(scriba: Scriba, acme: str, key_id: str) -> None:
    """And machines get its size and root."""
    assert key_id
    answer = scriba("verify", "--org", acme, "--log", "admin", "--json").json
    assert (answer["org"], answer["orgId"], answer["ok"]) == ("acme", acme, True)
    assert list(answer["logs"]) == ["admin"]
    assert (answer["logs"]["admin"]["records"], answer["logs"]["admin"]["findings"]) == (2, [])
    assert len(answer["logs"]["admin"]["rootHash"]) == 44


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE records SET actor = 'somebody else' WHERE {KEY_CREATED}",
        f"DELETE FROM records WHERE {KEY_CREATED}",
    ],
    ids=["edited", "deleted"],
)
def test_a_changed_record_is_found_and_named(scriba: Scriba, key_id: str, statement: str) -> None:
    """With exit code 1, the number of the first bad record, and no word of comfort."""
    assert key_id
    tamper(statement)
    result = scriba("verify", "--org", "acme")
    assert result.code == 1
    assert "admin: " in result.out
    assert "NOT INTACT" in result.out
    assert "requests: 1 record, intact" in result.out
    assert "Verified" not in result.out
    answer = scriba("verify", "--org", "acme", "--json")
    assert answer.code == 1
    assert answer.json["ok"] is False
    assert answer.json["logs"]["admin"]["firstBad"] == 1
    assert answer.json["logs"]["requests"]["ok"] is True


def test_a_changed_head_is_exit_code_1(scriba: Scriba, acme: str) -> None:
    """Whatever is wrong with the log is a "no", also where the store refuses to open."""
    tamper(f"UPDATE logs SET size = 0 WHERE org_id = '{acme}' AND log = 'requests'")
    result = scriba("verify", "--org", "acme")
    assert result.code == 1
    assert "seal" in result.err


def test_a_missing_organisation_is_wrong_use(scriba: Scriba, acme: str) -> None:
    """Exit code 1 is kept for findings."""
    assert acme
    assert scriba("verify", "--org", "acm").code == 2
