"""A purge that breaks off: whatever write fails, fails but persists, or is the last one of its process."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from tests.ageing import Clock, decide, live
from tests.stores import OpenStore

from scriba.audit.archive import write_archive
from scriba.audit.purged import PURGED
from scriba.audit.query import AuditLog
from scriba.audit.retention import Retention
from scriba.audit.verification import verify_logs
from scriba.domain.record import Event
from scriba.errors import StoreUnreachable
from scriba.storage.model import COMMAND_LINE, LogName
from scriba.storage.rows import COLUMNS, stored_of
from scriba.storage.tables import logs, records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

DAYS = 12
A_DAY = 3
KEPT = 8  # days of which entries stay after a purge of the free tier


class Died(BaseException):
    """The process ends here: nobody catches it."""


class Faults:
    """Counts the writes of a purge, which are transactions and the file of an archive, and breaks one of them.

    :param kind: `fails`: nothing of it is done; `persists`: all of it is, but the caller hears of a failure; `dies`: it
        is done, and nothing after it is
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, store: OpenStore, kind: str, number: int) -> None:
        self.count = 0
        self._kind = kind
        self._number = number
        write = store.store.database.write

        @contextmanager
        def writing() -> Iterator[Any]:
            with self._around(), write() as connection:
                yield connection
                if self._is_broken() and self._kind == "fails":
                    raise StoreUnreachable("The database is gone.")

        def archiving(*arguments: Any) -> Any:
            with self._around():
                if self._is_broken() and self._kind == "fails":
                    raise StoreUnreachable("The disk is full.")
                return write_archive(*arguments)

        monkeypatch.setattr(store.store.database, "write", writing)
        monkeypatch.setattr("scriba.audit.retention.write_archive", archiving)

    @contextmanager
    def _around(self) -> Iterator[None]:
        self.count += 1
        is_broken = self._is_broken()
        yield
        if is_broken:
            raise Died if self._kind == "dies" else StoreUnreachable("Nobody knows whether it was written.")

    def _is_broken(self) -> bool:
        return self.count == self._number


def purge(store: OpenStore, lake: Path) -> None:
    """Purge the log `requests`, with an archive."""
    Retention(store.store, lake, rest=lambda _: None).purge(store.organisation.id, LogName.REQUESTS, actor=COMMAND_LINE)


def check(store: OpenStore, lake: Path) -> int:
    """Check that everything verifies and that either all or nothing was purged; returns how many entries are left."""
    org = store.organisation.id
    database = store.store.database
    found = verify_logs(database, store.store.keyring, org, list(LogName), lambda _: nullcontext())
    assert {name: result.findings for name, result in found.items()} == {name.value: () for name in LogName}
    count = AuditLog(database).count(org)
    with database.read() as connection:
        admin = select(logs.c.id).where(logs.c.org_id == org, logs.c.log == "admin").scalar_subquery()
        query = select(*(records.c[name] for name in COLUMNS)).where(records.c.log_id == admin)
        told = [stored_of(row, org).record for row in connection.execute(query)]
    purges = [event for event in told if isinstance(event, Event) and event.action == PURGED]
    assert (count, len(purges)) in {(DAYS * A_DAY, 0), (KEPT * A_DAY, 1)}
    for event in purges:
        assert (lake / str(event.detail["archive"])).exists()
    return count


def test_each_write_of_a_purge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: whichever write breaks, and however, everything verifies then, and the next run finishes the purge."""
    monkeypatch.setattr("scriba.storage.purge.CHUNK", 7)
    tried = set()
    for kind in ("fails", "persists", "dies"):
        for number in range(1, 10):
            folder = tmp_path / f"{kind}-{number}"
            folder.mkdir()
            store = OpenStore.open(folder, f"sqlite:///{folder}/scriba.db")
            with monkeypatch.context() as patched:
                clock = Clock(patched)
                clock.rule(store.store.database)
                live(store, clock, DAYS, A_DAY)
                with monkeypatch.context() as broken:
                    faults = Faults(broken, store, kind, number)
                    with suppress(StoreUnreachable, Died):
                        purge(store, folder / "lake")
                check(store, folder / "lake")
                decide(store, 1)
                store.close()
                store = OpenStore.open(folder, f"sqlite:///{folder}/scriba.db")
                clock.rule(store.store.database)
                purge(store, folder / "lake")
                assert AuditLog(store.store.database).count(store.organisation.id) == KEPT * A_DAY + 1
                with store.store.database.read() as connection:
                    gone = select(func.count()).select_from(records.join(logs, records.c.log_id == logs.c.id))
                    assert connection.execute(gone.where(records.c.seq < logs.c.first_seq)).scalar_one() == 0
                files = [path for path in (folder / "lake").rglob("*") if path.is_file()]
                assert [path.suffix for path in files] == [".gz"]
                store.close()
            tried.add((kind, faults.count))
            if faults.count < number:
                break
        else:
            raise AssertionError("a purge has more writes than were tried")
    assert len(tried) >= 9
