"""Exports of a long log over HTTP, against SQLite's own dump of the same rows.

    python bench/export.py [entries]

Prints what each format takes as a multiple of the dump, and how much memory the server came to need. The same amount
of work is compared on the same machine, so that the ratios say something elsewhere, too.
"""

from __future__ import annotations

import http.client
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

ROOT: Final = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.running import Program, program, settings_in  # noqa: E402 - found by the line above
from tests.stores import a_decision  # noqa: E402

from scriba.bootstrap import open_services  # noqa: E402
from scriba.storage.hot import pending  # noqa: E402
from scriba.storage.model import COMMAND_LINE, LogId, LogName, Role  # noqa: E402

_BATCH: Final = 10_000
_FORMATS: Final = ("csv", "ndjson", "json", "csv&include=outcome")


def fill(folder: Path, count: int) -> str:
    """Write a log of so many entries and return a key that can read it."""
    services = open_services(settings_in(folder))
    org = services.control.create_organisation("bench", actor=COMMAND_LINE)
    _, key = services.control.create_key(org.id, role=Role.AUDITOR, actor=COMMAND_LINE)
    log = LogId(org.id, LogName.REQUESTS)
    for begin in range(0, count, _BATCH):
        items = [pending(log, a_decision(org.id)) for _ in range(min(_BATCH, count - begin))]
        with services.store.database.write() as connection:
            services.store.hot.append(connection, items)
    services.store.database.close()
    return key


def dump(folder: Path) -> float:
    """Read every row as Python objects with SQLite alone; returns seconds."""
    connection = sqlite3.connect(f"file:{folder}/data/scriba.db?mode=ro", uri=True)
    begin = time.perf_counter()
    for _ in connection.execute("SELECT * FROM records ORDER BY log_id, seq"):
        pass
    connection.close()
    return time.perf_counter() - begin


def export(running: Program, key: str, form: str) -> tuple[float, int]:
    """Read a whole file over HTTP; returns seconds and bytes."""
    connection = http.client.HTTPConnection(urlsplit(running.url).netloc, timeout=600)
    begin = time.perf_counter()
    path = f"/governance/audit-logs?format={form}"
    connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
    response, size = connection.getresponse(), 0
    while data := response.read(1 << 20):
        size += len(data)
    connection.close()
    return time.perf_counter() - begin, size


def memory(process: int) -> float:
    """Return the most memory that a process has needed, in MB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1000


def main() -> None:
    """Run it and print a line for each format."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory(prefix="scriba-bench-") as name:
        folder = Path(name)
        key = fill(folder, count)
        alone = dump(folder)
        print(f"SQLite alone: {count / alone:,.0f} rows/s")
        with program(folder) as running:
            before = memory(running.process.pid)
            for form in _FORMATS:
                seconds, size = export(running, key, form)
                most = memory(running.process.pid)
                print(
                    f"{form:<20} {count / seconds:>9,.0f} rows/s, {seconds / alone:.1f} times the dump, "
                    f"{size / 1e6:,.0f} MB; the server needed {most:.0f} MB, {most - before:.0f} of them for this"
                )


if __name__ == "__main__":
    main()
