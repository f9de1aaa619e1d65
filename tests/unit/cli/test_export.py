"""`scriba export`."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.stores import a_decision

from scriba.cli.opening import open_existing
from scriba.storage.hot import pending
from scriba.storage.model import LogId, LogName

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Scriba


@pytest.fixture
def entries(scriba: Scriba, acme: str) -> list[str]:
    """Write three decisions, one refused, and return their ids, oldest first."""
    assert scriba("db", "check").code == 0
    made = [a_decision(acme, allowed=number != 1) for number in range(3)]
    with open_existing(None) as opened, opened.store.database.write() as connection:
        opened.store.hot.append(connection, [pending(LogId(acme, LogName.REQUESTS), decision) for decision in made])
    return [decision.id for decision in made]


def test_a_file(scriba: Scriba, tmp_path: Path, entries: list[str]) -> None:
    """Promise: the file holds every entry that matches, and the admin log says that it was made."""
    told = scriba("export", "--org", "acme", "--allowed", "true", "-o", "out.csv", "--json").json
    assert told == {"file": "out.csv", "format": "csv", "entries": 2}
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["id"] for row in rows] == [entries[2], entries[0]]
    assert scriba("export", "--org", "acme", "--order", "asc", "--format", "jsonl", "-o", "out.ndjson").code == 0
    lines = (tmp_path / "out.ndjson").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == entries
    assert scriba("verify", "--org", "acme", "--log", "admin").code == 0


def test_columns(scriba: Scriba, tmp_path: Path, entries: list[str]) -> None:
    """Promise: columns are chosen as over HTTP, and one that does not exist is refused."""
    assert scriba("export", "--org", "acme", "--columns", "seq,id", "-o", "out.csv").code == 0
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()[:2] == ["seq,id", f"3,{entries[2]}"]
    result = scriba("export", "--org", "acme", "--columns", "modle", "-o", "other.csv")
    assert (result.code, "Did you mean model" in result.err) == (2, True)
    assert scriba("export", "--org", "acme", "--format", "json", "--columns", "id", "-o", "other.csv").code == 2
    assert not (tmp_path / "other.csv").exists()


def test_a_folder_that_is_not_there(scriba: Scriba, entries: list[str]) -> None:
    """Promise: whoever names a folder that does not exist is told its name, and not that of a file of ours."""
    assert entries
    result = scriba("export", "--org", "acme", "-o", "reports/november.csv")
    assert (result.code, "There is no folder reports." in result.err) == (2, True)


def test_what_is_stopped_leaves_nothing(
    scriba: Scriba, tmp_path: Path, entries: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise: after Ctrl-C the earlier file is as it was, and no part of the new one is left."""
    assert entries
    (tmp_path / "out.csv").write_text("earlier", encoding="utf-8")

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("scriba.cli.export.export_chunks", interrupt)
    assert scriba("export", "--org", "acme", "-o", "out.csv").code == 130
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == "earlier"
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []


def test_to_standard_output(entries: list[str]) -> None:
    """Promise: `-o -` writes the file and nothing else."""
    arguments = [sys.executable, "-m", "scriba", "export", "--org", "acme", "--format", "json", "-o", "-"]
    done = subprocess.run(arguments, capture_output=True, check=True)
    assert [entry["id"] for entry in json.loads(done.stdout)["logs"]] == entries[::-1]
    assert done.stderr == b""
