"""API keys from the command line."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from scriba.domain.api_key import is_api_key, key_digest
from scriba.domain.timestamp import parse_timestamp

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Scriba


def test_create_shows_the_key_once(scriba: Scriba, acme: str, tmp_path: Path) -> None:
    """Alone on standard output, so that a shell can keep it; it is stored nowhere and never shown again."""
    assert acme
    result = scriba("key", "create", "--org", "acme", "--role", "app")
    key = result.out.strip()
    assert is_api_key(key)
    assert "cannot be shown again" in result.err
    assert key not in scriba("key", "list", "--org", "acme", "--json").out
    stored = b"".join(file.read_bytes() for file in (tmp_path / "data").rglob("*") if file.is_file())
    assert key.encode() not in stored
    assert key_digest(key) in stored


def test_create_answers_machines_with_everything(scriba: Scriba, acme: str) -> None:
    """Only what is set is there."""
    options = "--role app --name checkout --policy-slot 1 --allow-slot 3 --allow-slot 2 --tag a --tag b --expires 90d"
    before = time.time_ns() // 1000
    made = scriba("key", "create", "--org", acme, *options.split(), "--json").json
    after = time.time_ns() // 1000
    assert made["orgId"] == acme
    assert (made["role"], made["name"], made["policySlot"]) == ("app", "checkout", 1)
    assert (made["allowedSlots"], made["tags"]) == ([2, 3], ["a", "b"])
    assert made["last4"] == made["key"][-4:]
    assert before <= parse_timestamp(made["expiresAt"]) - 90 * 86_400_000_000 <= after
    plain = scriba("key", "create", "--org", "acme", "--role", "auditor", "--json").json
    assert not {"name", "policySlot", "allowedSlots", "tags", "expiresAt", "revokedAt"} & set(plain)


@pytest.mark.parametrize(("text", "seconds"), [("10s", 10), ("30m", 1_800), ("12h", 43_200), ("90d", 7_776_000)])
def test_durations(scriba: Scriba, acme: str, text: str, seconds: int) -> None:
    """Seconds, minutes, hours and days."""
    made = scriba("key", "create", "--org", acme, "--role", "app", "--expires", text, "--json").json
    lasts = parse_timestamp(made["expiresAt"]) - parse_timestamp(made["createdAt"])
    assert abs(lasts / 1_000_000 - seconds) < 5


@pytest.mark.parametrize("text", ["0d", "90", "d", "1.5h", "-1d", "1w", "٣d"])
def test_other_durations_are_refused(scriba: Scriba, acme: str, text: str) -> None:
    """A key that would never expire by mistake is not made."""
    result = scriba("key", "create", "--org", acme, "--role", "app", "--expires", text)
    assert result.code == 2
    assert "90d, 12h, 30m or 10s" in result.err
    assert scriba("key", "list", "--org", acme, "--json").json == []


def test_list_shows_what_can_still_be_used(scriba: Scriba, acme: str) -> None:
    """Valid, until when, or revoked; with the last four characters and no more of the key."""
    made = [
        scriba("key", "create", "--org", "acme", "--role", "app", "--json", *more).json
        for more in ([], ["--expires", "1h"], [])
    ]
    assert scriba("key", "revoke", made[2]["id"]).code == 0
    rows = scriba("key", "list", "--org", "acme").out.splitlines()[1:]
    assert [row.split()[0] for row in rows] == [one["id"] for one in made]
    assert [word in row for word, row in zip(["valid", "until 20", "revoked"], rows, strict=True)] == [True] * 3
    assert all(f"…{one['last4']}" in row for one, row in zip(made, rows, strict=True))
    assert acme not in rows[0]


def test_an_empty_list_says_how_to_begin(scriba: Scriba, acme: str) -> None:
    """With a command that works as it stands."""
    assert acme
    command = scriba("key", "list", "--org", "acme").out.strip().partition(": scriba ")[2]
    assert is_api_key(scriba(*command.split()).out.strip())


def test_revoke_is_for_ever_and_harmless_to_repeat(scriba: Scriba, acme: str) -> None:
    """The time of the first one stays."""
    key_id = scriba("key", "create", "--org", acme, "--role", "app", "--json").json["id"]
    first = scriba("key", "revoke", key_id, "--org", "acme", "--json").json
    again = scriba("key", "revoke", key_id, "--json").json
    assert first == again
    assert first["revokedAt"]


def test_a_key_of_another_organisation_is_not_there(scriba: Scriba, acme: str) -> None:
    """Whoever names the wrong organisation revokes nothing."""
    assert scriba("org", "create", "other").code == 0
    key_id = scriba("key", "create", "--org", acme, "--role", "app", "--json").json["id"]
    for arguments in ([key_id, "--org", "other"], ["key_01jd8x4k2v7m9n3p5q6r8s0t1w"]):
        result = scriba("key", "revoke", *arguments)
        assert result.code == 2
        assert "There is no key" in result.err
    assert "revokedAt" not in scriba("key", "list", "--org", acme, "--json").json[0]


def test_an_unknown_organisation_is_named_with_the_nearest(scriba: Scriba, acme: str) -> None:
    """As for every command that takes one."""
    assert acme
    result = scriba("key", "list", "--org", "acmee")
    assert result.code == 2
    assert "Did you mean 'acme'?" in result.err
