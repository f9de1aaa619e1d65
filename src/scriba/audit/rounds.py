"""Work that a process does again and again beside its requests."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Rounds"]

_log: Final = logging.getLogger("scriba.rounds")


class Rounds:
    """Does some work in a thread, soon after the start and then at intervals. `start` and `stop` belong to one loop.

    :param first_seconds: until the first round; each wait is up to half as long again, so that processes part ways
    :param every_seconds: between two rounds
    :param at_start: what cannot wait for the first round
    :ivar stopping: set when the process is about to end; long work looks at it
    """

    def __init__(
        self,
        work: Callable[[], None],
        *,
        first_seconds: float,
        every_seconds: float,
        at_start: Callable[[], None] | None = None,
    ) -> None:
        self.stopping = threading.Event()
        self._work = work
        self._at_start = at_start
        self._first_seconds = first_seconds
        self._every_seconds = every_seconds
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; on the event loop."""
        self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End after the step that is under way."""
        self.stopping.set()
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        if self._at_start is not None:
            await asyncio.shield(asyncio.to_thread(_do, self._at_start))
        seconds = self._first_seconds
        while True:
            await asyncio.sleep(seconds * random.uniform(1.0, 1.5))  # noqa: S311 - no secret
            await asyncio.shield(asyncio.to_thread(_do, self._work))
            seconds = self._every_seconds


def _do(work: Callable[[], None]) -> None:
    try:
        work()
    except Exception:  # noqa: BLE001 - the edge of a task that must go on
        _log.exception("Work beside the requests failed; it is tried again in the next round.")
