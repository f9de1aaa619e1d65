"""Purging the logs of a store and looking at what is left."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from scriba.audit.retention import Retention
from scriba.audit.verification import verify_logs
from scriba.domain.record import Event
from scriba.storage.model import COMMAND_LINE, LogName
from scriba.storage.rows import COLUMNS, stored_of
from scriba.storage.tables import logs, records

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stores import OpenStore

    from scriba.audit.retention import Purge
    from scriba.domain.record import Stored
    from scriba.ledger.verifier import Verification


REQUESTS = LogName.REQUESTS


def retention(store: OpenStore, lake: Path | None = None) -> Retention:
    """Make what purges, without rests."""
    return Retention(store.store, lake, rest=lambda _: None)


def purge(store: OpenStore, log: LogName = REQUESTS, lake: Path | None = None) -> Purge:
    """Purge one log of the organisation."""
    return retention(store, lake).purge(store.organisation.id, log, actor=COMMAND_LINE)


def verified(store: OpenStore) -> dict[str, Verification]:
    """Verify all logs of the organisation."""
    database, keyring = store.store.database, store.store.keyring
    return dict(verify_logs(database, keyring, store.organisation.id, list(LogName), lambda _: nullcontext()))


def head(store: OpenStore, log: LogName = REQUESTS) -> Any:
    """Return the row of a log."""
    with store.store.database.read() as connection:
        return connection.execute(
            select(logs).where(logs.c.org_id == store.organisation.id, logs.c.log == log.value)
        ).one()


def rows(store: OpenStore, log: LogName = REQUESTS) -> list[Stored]:
    """Return every row of a log, purged or not."""
    query = select(*(records.c[name] for name in COLUMNS)).where(records.c.log_id == head(store, log).id)
    with store.store.database.read() as connection:
        return [stored_of(row, store.organisation.id) for row in connection.execute(query.order_by(records.c.seq))]


def events(store: OpenStore, action: str) -> list[Stored]:
    """Return the records of `admin` about an action."""
    found = rows(store, LogName.ADMIN)
    return [stored for stored in found if isinstance(stored.record, Event) and stored.record.action == action]


def alter(store: OpenStore, **values: Any) -> None:
    """Change the row of the log `requests` behind our back."""
    with store.store.database.write() as connection:
        connection.execute(update(logs).where(logs.c.id == head(store).id).values(**values))


def assert_intact(store: OpenStore) -> None:
    """Verify everything."""
    assert {name: result.findings for name, result in verified(store).items()} == {name.value: () for name in LogName}
