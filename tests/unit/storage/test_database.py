"""Transactions of one process on one SQLite file."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from scriba.storage.database import Database
from scriba.storage.engines import sqlite_engine

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

WRITERS = 4
WRITES = 10


def test_writers_of_one_process_queue_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: threads that write never meet SQLite's lock, where whoever waits looks again only now and then."""

    def impatient(url: Any, size: int, _patience: float, *rest: Any) -> Any:
        return sqlite_engine(url, size, 0, *rest)

    monkeypatch.setattr("scriba.storage.database.sqlite_engine", impatient)
    database = Database(f"sqlite:///{tmp_path / 'one.db'}")
    with database.write() as connection:
        connection.execute(text("CREATE TABLE counts (number INTEGER)"))
    failed: list[Exception] = []

    def count() -> None:
        try:
            for _ in range(WRITES):
                with database.write() as connection:
                    connection.execute(text("INSERT INTO counts VALUES (1)"))
        except Exception as error:  # noqa: BLE001 - reported by the test
            failed.append(error)

    threads = [threading.Thread(target=count) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        counted = connection.execute(text("SELECT count(*) FROM counts")).scalar_one()
    database.close()
    assert not failed
    assert counted == WRITERS * WRITES
