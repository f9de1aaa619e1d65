"""An import that is killed is simply run again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from tests.rederive import rederive_all

from scriba.audit.query import AuditLog
from scriba.storage.database import Database

if TYPE_CHECKING:
    from pathlib import Path

ENTRIES = 30_000
SECONDS = 60


def scriba(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a command in a process of its own."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [sys.executable, "-m", "scriba", *arguments]
    return subprocess.Popen(command, cwd=folder, env=kept, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> Any:
    """Return what a command printed as JSON."""
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    return json.loads(out)


def test_a_killed_import_is_finished_by_the_next_one(tmp_path: Path) -> None:
    """Promise: after kill -9 in the middle, the same command brings in exactly what is missing, ids or no ids."""
    org_id = finished(scriba(tmp_path, "org", "create", "acme", "--json"))["id"]
    entry = {
        "timestamp": "2025-01-10T14:30:00Z",
        "model": "gpt-4o",
        "policyId": "p",
        "policyName": "P",
        "allowed": True,
        "enforcement": "warn",
    }
    lines = [
        json.dumps(entry | ({"id": f"x{number}"} if number % 2 else {"user": f"u{number % 7}"}))
        for number in range(ENTRIES)
    ]
    (tmp_path / "history.ndjson").write_text("\n".join(lines))
    database = Database(f"sqlite:///{tmp_path}/data/scriba.db")
    log = AuditLog(database)
    process = scriba(tmp_path, "import", "history.ndjson", "--org", "acme")
    deadline = time.monotonic() + SECONDS
    while not log.count(org_id) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=SECONDS)
    there = log.count(org_id)  # whole batches
    assert 0 < there < ENTRIES
    again = finished(scriba(tmp_path, "import", "history.ndjson", "--org", "acme", "--json"))
    assert (again["imported"], again["skipped"], again["refused"]) == (ENTRIES - there, there, 0)
    assert log.count(org_id) == ENTRIES
    rederive_all(database)
    database.close()
