"""Running commands as somebody at a terminal does, each test in an empty folder."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pytest

from scriba.cli import main

if TYPE_CHECKING:
    from pathlib import Path


class Result(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON document that it must be."""
        return json.loads(self.out)


class Scriba(Protocol):
    """Runs `scriba` with these arguments."""

    def __call__(self, *arguments: str) -> Result:
        """Run it."""


@pytest.fixture
def scriba(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Scriba:
    """Run commands in an empty folder, without any variable of ours."""
    for variable in [name for name in os.environ if name.startswith("SCRIBA_")]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)

    def _scriba(*arguments: str) -> Result:
        code = main(arguments)
        return Result(code, *capsys.readouterr())

    return _scriba


@pytest.fixture
def acme(scriba: Scriba) -> str:
    """Create an organisation and return its id."""
    result = scriba("org", "create", "acme", "--json")
    assert result.code == 0
    org_id: str = result.json["id"]
    return org_id
