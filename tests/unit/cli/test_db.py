"""Looking after the database from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Scriba


def test_check_tells_whether_the_schema_is_current(scriba: Scriba) -> None:
    """Exit code 1 and what to do while it is not; asking makes no file."""
    new = scriba("db", "check")
    assert new.code == 1
    assert "scriba db migrate" in new.out
    assert not Path("data").exists()
    assert scriba("db", "migrate").code == 0
    current = scriba("db", "check", "--json")
    assert current.code == 0
    assert current.json["current"] is True


def test_migrate_is_harmless_to_repeat(scriba: Scriba) -> None:
    """The second time there is nothing to do, and it says so."""
    first = scriba("db", "migrate", "--json").json
    assert first["changed"] is True
    assert scriba("db", "migrate", "--json").json == {"changed": False, "schema": first["schema"]}


def test_reset_must_be_meant(scriba: Scriba, acme: str) -> None:
    """Without --yes it says what it would delete, and deletes nothing."""
    assert acme
    result = scriba("db", "reset")
    assert result.code == 2
    for path in ("sqlite:///data/scriba.db", "deployment.secret", "guard"):
        assert path in result.err
    assert "admin.key" not in result.err  # nor what is not there
    assert scriba("org", "list", "--json").json[0]["name"] == "acme"


def test_reset_clears_database_secret_and_guard_together(scriba: Scriba, acme: str) -> None:
    """What is left would not fit what comes next; a new deployment can begin at once."""
    Path("data/admin.key").write_text("sk_scriba_x", encoding="utf-8")
    assert scriba("db", "reset", "--yes", "--json").json == {"reset": True}
    assert list(Path("data").iterdir()) == []
    begun = scriba("org", "create", "acme", "--json")
    assert begun.code == 0
    assert begun.json["id"] != acme


def test_reset_of_nothing_is_harmless(scriba: Scriba) -> None:
    """There is nothing to delete and nothing to complain about."""
    assert scriba("db", "reset", "--yes").code == 0
