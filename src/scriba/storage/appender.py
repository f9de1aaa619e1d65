"""Group commit: one thread writes, whoever waits is in its next transaction.

No timer delays anybody. What one turn of the event loop brings is handed over together; while a transaction is
being committed, the records of further turns gather, and the next transaction takes all of them. Under load the price
of a commit is shared, alone a request pays for one. A record that nobody waits for stays back a moment, to share the
commit of the next one that somebody does.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import MutableSequence, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from scriba.domain.record import Gap, Record
from scriba.errors import IntegrityError, LogUnavailable, ScribaError, Unavailable
from scriba.storage.gaps import Gaps
from scriba.storage.hot import Pending, pending
from scriba.storage.model import Appended

if TYPE_CHECKING:
    from scriba.storage.database import Database
    from scriba.storage.hot import HotLogs
    from scriba.storage.model import LogId

__all__ = ["MAX_BATCH", "MAX_WAITING", "Appender", "StaleControl"]

MAX_BATCH: Final = 1_000
"""Records in one transaction: bounds how long a head stays locked."""

MAX_WAITING: Final = 20_000
"""Records that may wait; beyond it a caller is told to try again later."""

_RETRY_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 0.02
_TRIES_AT_THE_END: Final = 3
_TRIES_TO_SETTLE: Final = 5
_SETTLE_SECONDS: Final = 0.5
_log = logging.getLogger("scriba.appender")


class StaleControl(Exception):  # not an error: read the control tables again and decide again
    """The record was decided under settings that have changed meanwhile; nothing was written."""


class _Waiter(msgspec.Struct, frozen=True):
    """A record and who waits for it; `future` is None if nobody does."""

    item: Pending
    future: asyncio.Future[Appended] | None


class _Doubt(msgspec.Struct, frozen=True):
    """A transaction whose commit was not confirmed: what it would have written, and where."""

    waiters: Sequence[_Waiter]
    placed: Sequence[Appended | None]


class Appender:
    """Appends records from an event loop, durably.

    All methods belong to the event loop that `start` was called on. `_turn` is that loop's alone; `_condition` guards
    `_queue`, `_awaited`, `_gaps` and `_closing`; the thread alone has the rest, and touches the database.
    """

    def __init__(self, database: Database, hot: HotLogs) -> None:
        self._database = database
        self._hot = hot
        self._turn: list[_Waiter] = []
        self._queue: deque[_Waiter] = deque()
        self._refused: list[_Waiter] = []  # what the database refused and nobody waits for: tried again, now and then
        self._again_at = 0.0
        self._well = True
        self._awaited = 0  # how many records of the queue somebody waits for
        self._gaps = Gaps()
        self._doubtful: _Doubt | None = None
        self._condition = threading.Condition()
        self._closing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="scriba-appender", daemon=True)

    def start(self) -> None:
        """Start the writer thread; must be called on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def is_well(self) -> bool:
        """Whether the writer runs, and could write when it last tried. May be asked from any thread."""
        return self._well and self._thread.is_alive()

    async def append(self, log: LogId, record: Record, *, revision: int | None = None) -> Appended:
        """Append a record and return once it is durable.

        :param revision: the revision of the control tables that the record was decided under
        :raises StaleControl: the organisation's keys or policies have changed since
        :raises LogUnavailable: it could not be written, or nobody knows whether it was
        """
        if len(self._queue) >= MAX_WAITING:
            raise LogUnavailable("More requests wait for the log than it can take.", hint="Try again in a moment.")
        future: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
        self._take(_Waiter(pending(log, record, revision), future))
        return await future

    def submit(self, log: LogId, record: Record) -> None:
        """Append a record that nobody waits for. It is retried until it is written or the process ends."""
        self._take(_Waiter(pending(log, record), None))

    def note_unlogged(self, log: LogId, reason: str) -> None:
        """Remember a request that was let through unlogged; a `gap` follows as soon as the log can be written."""
        with self._condition:
            self._gaps.note(log, reason)
            self._condition.notify()

    async def close(self) -> None:
        """Write all that waits, then stop. Safe to call twice."""
        self._hand_over()
        with self._condition:
            self._closing = True
            self._condition.notify()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)

    def _take(self, waiter: _Waiter) -> None:
        if self._closing or not self._thread.is_alive():
            raise LogUnavailable("Scriba is shutting down.", hint="Try again in a moment.")
        if not self._turn:
            asyncio.get_running_loop().call_soon(self._hand_over)
        self._turn.append(waiter)

    def _hand_over(self) -> None:
        """Give the thread what this turn of the loop has brought."""
        if not self._turn:
            return
        with self._condition:
            self._queue.extend(self._turn)
            self._awaited += sum(waiter.future is not None for waiter in self._turn)
            self._condition.notify()
        self._turn = []

    def _run(self) -> None:
        failures = 0
        while (batch := self._next_batch()) or not self._closing:
            failures = 0 if not batch or self._write(batch) else failures + 1
            if failures and not self._wait_to_retry(failures):
                break
        self._give_up()

    def _next_batch(self) -> list[_Waiter]:
        """Whatever waits now, at most `MAX_BATCH`; blocks while nothing does. Empty at the end."""
        with self._condition:
            patience = _RETRY_SECONDS if self._refused else None
            self._condition.wait_for(lambda: self._queue or self._gaps or self._closing, patience)
            self._condition.wait_for(lambda: self._awaited or self._closing, _PATIENCE_SECONDS)
            if self._refused and (self._closing or time.monotonic() >= self._again_at):
                self._queue.extend(self._refused)
                self._refused.clear()
            self._queue.extend(_Waiter(pending(log, gap), None) for log, gap in self._gaps.take())
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), MAX_BATCH))]
            self._awaited -= sum(waiter.future is not None for waiter in batch)
            return batch

    def _wait_to_retry(self, failures: int) -> bool:
        """Wait until it is worth trying again; False if the end has come and it was tried often enough."""
        with self._condition:
            if self._closing:
                return failures < _TRIES_AT_THE_END
            self._condition.wait_for(lambda: self._awaited or self._closing, _RETRY_SECONDS)
            return True

    def _give_up(self) -> None:
        """Tell whoever still waits at the end, and the operator, what could not be written."""
        with self._condition:
            left = [*self._queue, *self._refused]
            self._queue.clear()
            gaps = self._gaps.take()
        self._tell_all(left, LogUnavailable("Scriba has stopped before the entry could be written."))
        if left:
            _log.error("%d records could not be written before the end: the log cannot be written.", len(left))
        for log, gap in gaps:
            _log.error(
                "%d requests of %s were let through unlogged, and the log does not say so.", gap.count, log.org_id
            )

    def _write(self, batch: Sequence[_Waiter]) -> bool:
        """Write one batch and tell who waits. False: the log cannot be written now."""
        placed: Sequence[Appended | None] | None = None
        try:
            self._settle()
            with self._database.write() as connection:
                placed = self._hot.append(connection, [waiter.item for waiter in batch])
                # The commit point: leaving this block commits. Before it nothing of the batch exists, after it all
                # of it is on disk, and only then does anybody hear of it.
        except Exception as error:  # noqa: BLE001 - the edge of the thread: no error may end it
            if placed is not None:
                return self._doubt(_Doubt(batch, placed), error)
            if isinstance(error, Unavailable | IntegrityError):
                self._outage(error)
                self._postpone(batch, error)
                return False
            return self._write_singly(batch, error)
        self._confirm(batch, placed)
        self._outage(None)
        return True

    def _outage(self, error: ScribaError | None) -> None:
        """Tell the operator once that the log cannot be written, and once that it can again."""
        if error is not None and self._well:
            _log.error("The log cannot be written: %s", error)
        elif error is None and not self._well:
            _log.warning("The log can be written again.")
        self._well = error is None

    def _write_singly(self, batch: Sequence[_Waiter], error: Exception) -> bool:
        """Write record by record, so that one that the database refuses does not hold up the others."""
        if len(batch) > 1:
            written = [self._write([waiter]) for waiter in batch]
            return all(written)
        _log.error("A record was refused by the database.", exc_info=error)
        refusal = LogUnavailable("The entry was refused by the database.", hint="The server's log says why.")
        self._postpone(batch, refusal, self._refused)
        self._again_at = time.monotonic() + _RETRY_SECONDS
        return False

    def _doubt(self, doubt: _Doubt, error: Exception) -> bool:
        """Look whether a commit happened whose answer was lost, or which failed half way."""
        self._doubtful = doubt
        for _ in range(_TRIES_TO_SETTLE):
            try:
                self._settle()
            except Exception:  # noqa: BLE001 - whatever it was: as long as nobody knows, it is not settled
                time.sleep(_SETTLE_SECONDS)
            else:
                return True
        unknown = LogUnavailable(
            "The database did not say whether the entry was written.", hint="Try again in a moment."
        )
        self._tell_all(doubt.waiters, unknown, error)
        return False

    def _settle(self) -> None:
        """Find out what became of a doubtful transaction.

        Taking the heads' locks waits for its end, if it still runs. Then its records are there or will never be.
        """
        if (doubt := self._doubtful) is None:
            return
        with self._database.write() as connection:
            written = self._hot.holds(connection, {waiter.item.log for waiter in doubt.waiters}, doubt.placed)
        self._doubtful = None
        if written:
            self._confirm(doubt.waiters, doubt.placed)
        else:
            self._postpone(
                doubt.waiters, LogUnavailable("The entry could not be written.", hint="Try again in a moment.")
            )

    def _confirm(self, batch: Sequence[_Waiter], placed: Sequence[Appended | None]) -> None:
        self._hot.remember(item for item in placed if item is not None)
        self._tell([(waiter.future, item or StaleControl(), None) for waiter, item in zip(batch, placed, strict=True)])

    def _postpone(
        self, batch: Sequence[_Waiter], error: ScribaError, into: MutableSequence[_Waiter] | None = None
    ) -> None:
        """Who waits hears of the failure; what nobody waits for is kept for the next try."""
        refusal = error if isinstance(error, LogUnavailable) else LogUnavailable(error.message, hint=error.hint)
        self._tell_all(batch, refusal, error)
        with self._condition:
            for waiter in batch:
                if waiter.future is None and isinstance(gap := waiter.item.prepared.record, Gap):
                    self._gaps.put_back(waiter.item.log, gap)
                elif waiter.future is None:
                    (self._queue if into is None else into).append(waiter)

    def _tell_all(self, waiters: Sequence[_Waiter], error: Exception, cause: Exception | None = None) -> None:
        self._tell([(waiter.future, error, cause) for waiter in waiters])

    def _tell(
        self, results: list[tuple[asyncio.Future[Appended] | None, Appended | Exception, Exception | None]]
    ) -> None:
        """Hand results to the event loop, in one call."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_resolve, results)


def _resolve(results: list[tuple[asyncio.Future[Appended] | None, Appended | Exception, Exception | None]]) -> None:
    for future, result, cause in results:
        if future is None or future.done():
            continue
        if isinstance(result, Exception):
            # Each waiter gets an exception of its own: they are raised in different tasks.
            future.set_exception(_copy(result, cause))
        else:
            future.set_result(result)


def _copy(error: Exception, cause: Exception | None) -> Exception:
    if not isinstance(error, LogUnavailable):
        return StaleControl()
    copy = LogUnavailable(error.message, param=error.param, hint=error.hint)
    copy.__cause__ = cause
    return copy
