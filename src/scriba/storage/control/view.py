"""What a process knows of the control tables, and the transaction in which any of them changes."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sqlalchemy import update

from scriba.storage.control_rows import EMPTY_STATE, load_changes, next_revision
from scriba.storage.events import Journal
from scriba.storage.tables import organisations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from scriba.ledger.keyring import Keyring
    from scriba.storage.database import Database
    from scriba.storage.hot import HotLogs
    from scriba.storage.model import ControlState

__all__ = ["NothingChanged", "View"]


class NothingChanged(Exception):
    """Leaves a transaction that turned out to have nothing to do, without counting a change."""


class View:
    """The state of the control tables in memory. What changes one of them derives from it."""

    def __init__(self, database: Database, hot: HotLogs, keyring: Keyring, deployment_name: str) -> None:
        self._database = database
        self._hot = hot
        self._keyring = keyring
        self._deployment = deployment_name
        self._journal = Journal(hot)
        self._refreshing = threading.Lock()
        self.state: ControlState = EMPTY_STATE

    def refresh(self) -> ControlState:
        """Bring `state` up to date and return it. One small read when nothing has changed.

        :raises StoreUnreachable: the database does not answer
        """
        with self._refreshing, self._database.read() as connection:
            self.state = load_changes(connection, self.state)
            return self.state

    @contextmanager
    def _change(self, org_id: str | None = None) -> Iterator[tuple[Connection, int, int]]:
        """One transaction: connection, revision of the change, and now. `state` shows it afterwards.

        :param org_id: whose keys or policies change, so that what was decided before for it is decided again
        """
        with suppress(NothingChanged), self._database.write() as connection:
            revision = next_revision(connection)
            if org_id is not None:
                this = organisations.c.id == org_id
                connection.execute(update(organisations).where(this).values(revision=revision))
            yield connection, revision, self._database.clock(connection)
        self.refresh()
