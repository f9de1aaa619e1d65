"""What stands in deploy/ and in the pages about it fits the program."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml  # type: ignore[import-untyped]  # it ships none
from tests.docs.reading import ROOT
from tests.running import program

from scriba.gateway.configured import read_settings

if TYPE_CHECKING:
    from pathlib import Path

CONTAINERFILE = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
WORDS = CONTAINERFILE.replace("\\\n", " ")


def test_what_is_copied_is_there() -> None:
    """Every file that the image takes from here exists, and is not held back from the builder."""
    sources = [line.split()[1] for line in WORDS.splitlines() if line.startswith("COPY ") and "--from" not in line]
    passed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert sources
    for source in sources:
        assert (ROOT / source).exists()
        assert f"!{source.split('/')[0]}" in passed


def test_the_image_is_pinned_and_has_no_root() -> None:
    """Packages are checked by hash, and the last user is nobody special."""
    installs = [line for line in WORDS.splitlines() if "pip install" in line]
    assert installs
    assert all("--require-hashes" in line for line in installs)
    assert re.findall(r"^USER (\S+)$", WORDS, re.MULTILINE)[-1] == "2728:2728"


def test_its_variables_are_settings(tmp_path: Path) -> None:
    """Those of the image and of the compose file are known and valid."""
    image = dict(re.findall(r"(SCRIBA_\w+)=(\S+)", WORDS))
    given = COMPOSE["services"]["scriba"]["environment"]
    files = {name: str(tmp_path / name) for name in given if name.endswith("_FILE")}
    for name, file in files.items():
        text = "postgresql://scriba:secret@database/scriba" if "DATABASE" in name else "sk-1"
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert file
    settings = read_settings(None, {**image, **given, **files})
    assert settings.log_format == "json"
    assert settings.database_url.startswith("postgresql://")
    assert settings.providers["openai"].api_key is not None


def test_the_healthcheck_works(tmp_path: Path) -> None:
    """The image's own line says yes of a server that answers, and no of one that does not."""
    match = re.search(r"HEALTHCHECK .*?CMD (\[.*\])", WORDS)
    assert match is not None
    command = [sys.executable, *json.loads(match[1])[1:]]
    with program(tmp_path) as running:
        port = running.url.rpartition(":")[2]
        here = [part.replace("2728", port) for part in command]
        assert subprocess.run(here, check=False).returncode == 0
    assert subprocess.run(here, check=False, capture_output=True).returncode != 0


def test_the_compose_file_is_careful() -> None:
    """Nothing is written outside of volumes, nothing gains rights, and secrets are files."""
    scriba = COMPOSE["services"]["scriba"]
    assert scriba["read_only"] is True
    assert scriba["cap_drop"] == ["ALL"]
    assert all(port.startswith("127.0.0.1:") for port in scriba["ports"])
    mounted = {name for service in COMPOSE["services"].values() for name in service["secrets"]}
    assert mounted == set(COMPOSE["secrets"])
    for service in COMPOSE["services"].values():
        for name, value in service["environment"].items():
            assert "PASSWORD" not in name or name.endswith("_FILE")
            assert "://" not in str(value)


@pytest.mark.parametrize("page", ["proxy.md", "deployment.md", "observability.md"])
def test_links_lead_somewhere(page: str) -> None:
    """Pages name other pages that exist."""
    for target in re.findall(r"\]\(([\w.]+)(?:#[\w-]*)?\)", (ROOT / "docs" / page).read_text(encoding="utf-8")):
        assert (ROOT / "docs" / target).exists()
