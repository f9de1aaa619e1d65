"""Organisations from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Scriba


def test_create_answers_with_the_organisation(scriba: Scriba) -> None:
    """As JSON, and with the retention that its tier or its own number means."""
    pro = scriba("org", "create", "acme", "--tier", "pro", "--json").json
    assert pro["id"].startswith("org_")
    assert (pro["name"], pro["tier"], pro["retentionDays"]) == ("acme", "pro", 30)
    assert pro["createdAt"].endswith("Z")
    own = scriba("org", "create", "other", "--retention-days", "200", "--json").json
    assert (own["tier"], own["retentionDays"]) == ("free", 200)


def test_create_says_what_comes_next(scriba: Scriba) -> None:
    """The command it names works as it stands."""
    result = scriba("org", "create", "acme")
    command = result.out.splitlines()[-1].partition(": scriba ")[2]
    assert scriba(*command.split()).out.startswith("sk_scriba_")


def test_a_taken_or_bad_name_is_refused(scriba: Scriba, acme: str) -> None:
    """With exit code 2, and nothing is made."""
    assert acme
    assert scriba("org", "create", "acme").code == 2
    assert scriba("org", "create", "ACME Inc").code == 2
    assert [one["name"] for one in scriba("org", "list", "--json").json] == ["acme"]


def test_list_is_for_people_and_for_machines(scriba: Scriba, acme: str) -> None:
    """A table with every id whole, or a list of objects."""
    assert scriba("org", "create", "zenith").code == 0
    table = scriba("org", "list").out.splitlines()
    assert table[0].split()[:3] == ["Name", "Id", "Tier"]
    assert table[1].split()[:4] == ["acme", acme, "free", "7"]
    assert [one["name"] for one in scriba("org", "list", "--json").json] == ["acme", "zenith"]


def test_reading_begins_no_deployment(scriba: Scriba) -> None:
    """In a wrong folder nothing is made; the message says where to look."""
    result = scriba("org", "list")
    assert result.code == 2
    assert "Nothing has been written to sqlite:///data/scriba.db yet" in result.err
    assert "scriba serve" in result.err
    assert not Path("data").exists()
