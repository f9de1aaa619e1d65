"""Tells whoever follows the logs of an organisation that they have grown, whichever process has written to them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from scriba.errors import RequestError, ScribaError
from scriba.storage.tables import logs

if TYPE_CHECKING:
    from collections.abc import Collection

    from scriba.storage.database import Database

__all__ = ["MAX_LISTENERS", "Listener", "LogWatch", "TooManyStreams"]

MAX_LISTENERS: Final = 32
"""Streams of one organisation in one process."""

_SECONDS: Final = 0.5
_log: Final = logging.getLogger("scriba.watch")


class TooManyStreams(RequestError):
    """The organisation has as many streams open as it may."""

    code = "too_many_streams"
    status = 429


class Listener:
    """Somebody who follows the logs of one organisation.

    :ivar grown: set whenever there may be something new
    """

    def __init__(self, org_id: str) -> None:
        self.org_id = org_id
        self.grown = asyncio.Event()
        # What was logged between the first read of whoever joins and now may have been told to the others already.
        self.grown.set()


class LogWatch:
    """Looks every half second how long the logs are, but only while somebody listens: one look for all who do.

    It belongs to one event loop.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None

    def join(self, org_id: str) -> Listener:
        """Begin to listen.

        :raises TooManyStreams: as many as may already do
        """
        if sum(listener.org_id == org_id for listener in self._listeners) >= MAX_LISTENERS:
            raise TooManyStreams(
                f"{MAX_LISTENERS} streams of this organisation are open here, and no more can be.",
                hint="Close one; many readers can share one stream.",
            )
        listener = Listener(org_id)
        self._listeners.add(listener)
        if self._task is None:
            self._task = asyncio.create_task(self._look())
        return listener

    def leave(self, listener: Listener) -> None:
        """Stop listening. Safe to repeat."""
        self._listeners.discard(listener)

    async def _look(self) -> None:
        """Look and tell until nobody listens any more."""
        known: dict[str, int] = {}
        while org_ids := {listener.org_id for listener in self._listeners}:
            try:
                sizes = await asyncio.to_thread(self._sizes, org_ids)
            except ScribaError as error:
                # Who listens finds out by itself as soon as it reads.
                _log.warning("The logs cannot be watched: %s", error)
                sizes = {}
            for listener in self._listeners:
                if known.get(listener.org_id) != sizes.get(listener.org_id, known.get(listener.org_id)):
                    listener.grown.set()
            known |= sizes
            await asyncio.sleep(_SECONDS)
        self._task = None

    def _sizes(self, org_ids: Collection[str]) -> dict[str, int]:
        """Return how many records the logs of each organisation have together; they never get fewer."""
        query = select(logs.c.org_id, logs.c.size).where(logs.c.org_id.in_(org_ids))
        sizes: dict[str, int] = {}
        with self._database.read() as connection:
            for org_id, size in connection.execute(query):
                sizes[org_id] = sizes.get(org_id, 0) + size
        return sizes
