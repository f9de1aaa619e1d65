"""How fast batches are taken in, beside a plain insert of the same rows into SQLite.

    python bench/ingest.py [--entries 10000] [--rounds 5] [--folder DIR]

Measured are the whole way of a batch (JSON to signed receipts, durable), how long the head of the log is locked for it,
how long an entry of the gateway waits that arrives meanwhile, and an import of as many entries.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import tempfile
import threading
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from scriba.audit.foreign import Form, read_document
from scriba.audit.imports import Importer
from scriba.audit.ingest import Ingest, Teller
from scriba.domain.ids import mint_id
from scriba.domain.record import Decision
from scriba.domain.strict_json import load_json
from scriba.storage.control import Control
from scriba.storage.database import Database
from scriba.storage.guard import Guard
from scriba.storage.hot import HotLogs, pending
from scriba.storage.model import COMMAND_LINE, LogId, LogName
from scriba.storage.private_files import make_secret
from scriba.storage.rows import COLUMNS
from scriba.storage.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from scriba.storage.store import Store

ENTRY: dict[str, Any] = {
    "id": "gw-1",
    "requestId": "req_1",
    "timestamp": "2025-01-10T14:30:00.123456Z",
    "model": "gpt-4o-2024-08-06",
    "provider": "openai",
    "policyId": "gpol_theirs",
    "policyName": "Production",
    "policySlot": 1,
    "allowed": True,
    "enforcement": "warn",
    "violationReasons": ["Provider 'openai' does not offer zero data retention as far as is known"],
    "apiKeyId": "key_theirs",
    "ipAddress": "203.0.113.42",
    "userAgent": "OpenAI/Python 2.8.1",
    "tags": ["team:billing", "env:production"],
    "user": "ada",
}


def main() -> None:
    """Measure, and print one line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        store, org_id = open_new(folder)
        raw = json.dumps([{**ENTRY, "requestId": f"req_{number}"} for number in range(options.entries)]).encode()
        plain = median(options.rounds, lambda: insert_plainly(folder, store, org_id))
        tell("plain insert of the same rows", options.entries, plain, plain)
        tell(
            "ingest, JSON to receipts",
            options.entries,
            median(options.rounds, lambda: ingest(store, org_id, raw)),
            plain,
        )
        held = contend(store, org_id, raw)
        print(f"of that the log is locked for {held * 1000:.0f} ms; an entry that arrives meanwhile waits as long")
        tell("import", options.entries, median(options.rounds, lambda: bring_in(store, org_id, raw)), plain)
        store.database.close()


def open_new(folder: Path) -> tuple[Store, str]:
    """Make a store with one organisation."""
    make_secret(folder / "deployment.secret")
    database = Database(f"sqlite:///{folder}/scriba.db")
    store = open_store(database, Guard(folder / "guard"), folder / "deployment.secret")
    control = Control(database, store.hot, store.keyring, store.deployment)
    return store, control.create_organisation("bench", actor=COMMAND_LINE).id


def ingest(store: Store, org_id: str, raw: bytes) -> None:
    """Take a batch in as the API does."""
    documents = load_json(raw)
    assert isinstance(documents, list)
    msgspec.json.encode(Ingest(store).write(Teller(org_id), documents).entries)


def bring_in(store: Store, org_id: str, raw: bytes) -> None:
    """Import a batch that was not there before."""
    documents = load_json(raw)
    assert isinstance(documents, list)
    entries = [read_document({**document, "id": mint_id("old")}, Form.SCRIBA) for document in documents]
    Importer(store).import_entries(org_id, entries, sha256(mint_id("x").encode()).hexdigest())


def insert_plainly(folder: Path, store: Store, org_id: str) -> None:
    """Insert the rows of the newest batch into a table without anything around it, durably."""
    with store.database.read() as connection:
        rows = [
            tuple(row)
            for row in connection.exec_driver_sql("SELECT * FROM records WHERE type = 'decision' LIMIT 10000")
        ]
    if not rows:
        ingest(store, org_id, json.dumps([ENTRY] * 10_000).encode())
        insert_plainly(folder, store, org_id)
        return
    database = sqlite3.connect(folder / f"{mint_id('plain')}.db")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(f"CREATE TABLE records ({', '.join(COLUMNS)}, PRIMARY KEY (log_id, seq)) WITHOUT ROWID")
    started = time.perf_counter()
    with database:
        database.executemany(f"INSERT INTO records VALUES ({', '.join('?' * len(COLUMNS))})", rows)
    _MEASURED.append(time.perf_counter() - started)
    database.close()


_MEASURED: list[float] = []


def contend(store: Store, org_id: str, raw: bytes) -> float:
    """Return how long an entry waits that arrives when a batch has just locked the log."""
    began = threading.Event()
    held: list[float] = []

    class Watched(HotLogs):
        def lock(self, *arguments: Any, **named: Any) -> Any:
            began.set()
            return super().lock(*arguments, **named)

    watched = Watched(store.database, store.keyring)
    real, store.hot = store.hot, watched

    def write() -> None:
        log = LogId(org_id, LogName.REQUESTS)
        item = pending(log, _one(org_id))
        began.wait()
        started = time.perf_counter()
        with store.database.write() as connection:
            real.append(connection, [item])
        held.append(time.perf_counter() - started)

    thread = threading.Thread(target=write)
    thread.start()
    documents = load_json(raw)
    assert isinstance(documents, list)
    Ingest(store).write(Teller(org_id), documents)
    thread.join()
    store.hot = real
    return held[0]


def _one(org_id: str) -> Decision:
    return Decision(
        id=mint_id("audit"),
        org_id=org_id,
        request_id=mint_id("req"),
        model="gpt-4o",
        allowed=True,
        enforcement="warn",
        policy_id="gpol_none",
        policy_name="No policy",
        source="gateway",
    )


def median(rounds: int, work: Callable[[], None]) -> float:
    """Return the median of the seconds that something takes; of those it has measured itself, if it has."""
    _MEASURED.clear()
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(_MEASURED or seconds)


def tell(what: str, entries: int, seconds: float, plain: float) -> None:
    """Print one line."""
    rate = entries / seconds
    print(f"{what:32} {seconds * 1000:7.0f} ms {rate:9.0f} a second {seconds / plain:6.1f} x the plain insert")


if __name__ == "__main__":
    main()
