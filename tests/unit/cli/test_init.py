"""`scriba init` writes settings that change nothing, and the secret that PostgreSQL needs."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from scriba.settings import DEFAULTS, load_settings
from scriba.storage.private_files import read_secret

if TYPE_CHECKING:
    import pytest
    from tests.unit.cli.conftest import Scriba


def test_the_file_changes_nothing_until_a_line_is_uncommented(scriba: Scriba) -> None:
    """Every line of it is a comment, and with the first `#` gone it is the defaults file again."""
    defaults = load_settings(environ={})
    assert scriba("init").code == 0
    written = Path("scriba.toml").read_text(encoding="utf-8")
    assert all(line.startswith("#") for line in written.splitlines() if line)
    assert load_settings(environ={}).providers == defaults.providers
    for line in ("#port = 2728", "#[providers.sandbox]", "#enabled = false"):
        assert line in written.splitlines()
    settings = "\n".join(line.removeprefix("#") for line in written.splitlines() if line[:2] not in {"# ", "#", "##"})
    assert "port = 2728" in settings
    assert DEFAULTS.read_text(encoding="utf-8").count("\n") == written.count("\n")


def test_a_file_that_is_there_is_kept(scriba: Scriba) -> None:
    """Nobody loses settings by running it again."""
    Path("scriba.toml").write_text("port = 3000\n", encoding="utf-8")
    result = scriba("init")
    assert result.code == 0
    assert "kept" in result.out
    assert Path("scriba.toml").read_text(encoding="utf-8") == "port = 3000\n"


def test_on_sqlite_no_secret_is_made(scriba: Scriba) -> None:
    """The first start does that."""
    assert scriba("init", "--json").json == {"config": "scriba.toml", "created": True, "secretCreated": False}
    assert not Path("data").exists()


def test_on_postgresql_the_secret_is_made_once(scriba: Scriba, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file that only its owner can read, for the machines to share; another run keeps it."""
    monkeypatch.setenv("SCRIBA_DATABASE_URL", "postgresql://scriba@127.0.0.1:9/scriba")
    assert scriba("init", "--config", "etc/scriba.toml", "--json").json["secretCreated"] is True
    path = Path("data/deployment.secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    made = read_secret(path)
    again = scriba("init", "--config", "etc/scriba.toml")
    assert again.code == 0
    assert "secret" not in again.out
    assert read_secret(path) == made
