"""Retention from the command line."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from scriba.domain.period import DAY

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Scriba


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let the clocks of commands go ahead by the days in this list."""
    days = [0.0]
    real = time.time_ns
    ahead = lambda: real() + int(days[0] * DAY) * 1000  # noqa: E731 - one function for three places
    monkeypatch.setattr("scriba.storage.database.time.time_ns", ahead)
    return days


def fill(count: int) -> None:
    """Log decisions for `acme`, as another process."""
    from tests.stores import a_decision

    from scriba.cli.opening import open_existing
    from scriba.storage.hot import pending
    from scriba.storage.model import LogId, LogName

    with open_existing(None) as opened:
        org_id = opened.control.find_organisation("acme").id
        log = LogId(org_id, LogName.REQUESTS)
        with opened.store.database.write() as connection:
            opened.store.hot.append(connection, [pending(log, a_decision(org_id)) for _ in range(count)])


def test_a_purge_and_its_rehearsal(scriba: Scriba, acme: str, later: list[float]) -> None:
    """Promise: --dry-run says what goes and touches nothing; the purge does it, and verification calls it purged."""
    assert acme
    fill(3)
    later[0] = 1
    assert "nothing to purge" in scriba("purge", "--org", "acme", "--log", "requests").out
    later[0] = 9
    rehearsed = scriba("purge", "--org", "acme", "--dry-run", "--json").json
    assert rehearsed["dryRun"] is True
    requests, imports = rehearsed["logs"]
    assert (requests["entries"], requests["records"], requests["done"]) == (3, 4, False)
    assert imports["before"] is None
    said = scriba("purge", "--dry-run").out.splitlines()[0]
    assert said.startswith("acme requests: 4 records with 3 entries, about ")
    assert "would go" in said
    assert scriba("verify", "--org", "acme", "--json").json["logs"]["requests"]["purged"] == 0
    assert "purged 4 records with 3 entries" in scriba("purge").out
    assert "requests: 5 records, intact; the first 4 were purged, as the retention allowed" in (
        scriba("verify", "--org", "acme").out
    )
    assert scriba("verify", "--org", "acme", "--json").json["logs"]["requests"]["purged"] == 4


def test_a_hold_is_named(scriba: Scriba, acme: str, later: list[float]) -> None:
    """Promise: whoever purges hears which hold prevents it; released, it is in the list and prevents nothing."""
    assert acme
    fill(1)
    later[0] = 1
    scriba("purge")
    later[0] = 9
    made = scriba("hold", "create", "--org", "acme", "--name", "Case 7", "--reason", "Litigation", "--json").json
    assert f"held by Case 7 ({made['id']})" in scriba("purge").out
    assert "active" in scriba("hold", "list", "--org", "acme").out
    assert scriba("hold", "release", "hold_nobody", "--org", "acme").code == 2
    assert "Released Case 7" in scriba("hold", "release", made["id"], "--org", "acme").out
    assert [one["status"] for one in scriba("hold", "list", "--org", "acme", "--json").json] == ["released"]
    assert "purged 2 records with 1 entry" in scriba("purge").out


def test_seal_says_what_it_signed(scriba: Scriba, acme: str) -> None:
    """Promise: a line for each log that grew, and none the second time."""
    out = scriba("seal").out
    assert f"/{acme}/requests/1: signed at 1 record" in out
    assert scriba("seal").out == "Every log was signed as it stands.\n"
    assert scriba("seal", "--json").json == []


def test_retention_is_changed(scriba: Scriba, acme: str) -> None:
    """Promise: an update says how long entries are kept now, and what short retention means."""
    assert acme
    result = scriba("org", "update", "acme", "--tier", "pro")
    assert "kept for 30 days" in result.out
    assert "six months" in result.out
    assert scriba("org", "update", "acme", "--retention-days", "200", "--json").json["retentionDays"] == 200
    assert scriba("org", "update", "acme", "--retention-days", "tier", "--json").json["retentionDays"] == 30
    assert scriba("org", "update", "acme").code == 2
    assert scriba("org", "update", "acme", "--retention-days", "0").code == 2
    assert scriba("org", "update", "acme", "--retention-days", "x").code == 2


def test_doctor_tells_of_short_retention(scriba: Scriba, acme: str) -> None:
    """Promise: below 183 days `doctor` says what the law may ask, and nothing above."""
    assert acme
    assert "acme keeps entries for 7 days" in scriba("doctor").out
    scriba("org", "update", "acme", "--retention-days", "183")
    assert "keeps entries" not in scriba("doctor").out
