"""Daily work that any process of the deployment may do, and one at a time does.

Who takes a task holds it for a short time and renews that while it works. Of a process that died the task is free soon.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Final

from sqlalchemy import select, text, update

from scriba.storage.tables import tasks

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from scriba.storage.database import Database

__all__ = ["HELD_SECONDS", "Task"]

HELD_SECONDS: Final = 120
"""How long a process that died keeps others from its task."""

_RENEW_SECONDS: Final = 10.0
_KNOW: Final = text("INSERT INTO tasks (name, held_until, done_at) VALUES (:name, 0, 0) ON CONFLICT DO NOTHING")


class Task:
    """A task of one name, as one process sees it. For one thread at a time."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._holder = secrets.token_hex(8)
        self._renew_at = 0.0

    def done_at(self) -> int:
        """Return when it was done last, in microseconds since 1970; 0 for never."""
        with self._database.read() as connection:
            return connection.execute(select(tasks.c.done_at).where(tasks.c.name == self._name)).scalar() or 0

    def take(self, due_at: int | None = None) -> bool:
        """Take the task, unless somebody has it.

        :param due_at: nor if it was done since this time
        """
        with self._database.write() as connection:
            connection.execute(_KNOW, {"name": self._name})
            now = self._database.clock(connection)
            this = (tasks.c.name == self._name) & (tasks.c.held_until <= now)
            if due_at is not None:
                this &= tasks.c.done_at < due_at
            values = {"holder": self._holder, "held_until": now + HELD_SECONDS * 1_000_000}
            taken = connection.execute(update(tasks).where(this).values(values)).rowcount == 1
        self._renew_at = time.monotonic() + _RENEW_SECONDS
        return taken

    def renew(self) -> None:
        """Say that the work goes on. It may be called as often as one likes."""
        if time.monotonic() < self._renew_at:
            return
        self._renew_at = time.monotonic() + _RENEW_SECONDS
        with self._database.write() as connection:
            until = self._database.clock(connection) + HELD_SECONDS * 1_000_000
            connection.execute(update(tasks).where(self._is_mine()).values(held_until=until))

    def give_back(self, *, done: bool) -> None:
        """Let others have it."""
        with self._database.write() as connection:
            values = {"holder": None, "held_until": 0}
            if done:
                values["done_at"] = self._database.clock(connection)
            connection.execute(update(tasks).where(self._is_mine()).values(values))

    def _is_mine(self) -> ColumnElement[bool]:
        return (tasks.c.name == self._name) & (tasks.c.holder == self._holder)
