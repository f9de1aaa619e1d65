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
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from scriba.domain.record import Gap, Record
from scriba.errors import IntegrityError, LogUnavailable, ScribaError, Unavailable
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


class _Gap(msgspec.Struct):
    """Requests of one log that were let through unlogged."""

    start: int
    end: int
    count: int
    reason: str


class Appender:
    """Appends records from an event loop, durably.

    All methods belong to the event loop that `start` was called on. `_turn` is that loop's alone; `_condition` guards
    `_queue`, `_awaited`, `_gaps` and `_closing`; the thread alone touches the database.
    """

    def __init__(self, database: Database, hot: HotLogs) -> None:
        self._database = database
        self._hot = hot
        self._turn: list[_Waiter] = []
        self._queue: deque[_Waiter] = deque()
        self._awaited = 0  # how many records of the queue somebody waits for
        self._gaps: dict[LogId, _Gap] = {}
        self._doubtful: _Doubt | None = None
        self._condition = threading.Condition()
        self._closing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="scriba-appender", daemon=True)

    def start(self) -> None:
        """Start the writer thread; must be called on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def append(self, log: LogId, record: Record, *, revision: int | None = None) -> Appended:
        """Append a record and return once it is durable.

        :param revision: the revision of the control tables that the record was decided under
        :raises StaleControl: the control tables are at another revision
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
        now = time.time_ns() // 1000
        with self._condition:
            gap = self._gaps.setdefault(log, _Gap(start=now, end=now, count=0, reason=reason))
            gap.end = now
            gap.count += 1
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
        if self._closing:
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
        while batch := self._next_batch():
            failures = 0 if self._write(batch) else failures + 1
            if failures and not self._wait_to_retry(failures):
                break
        with self._condition:
            left = list(self._queue)
            self._queue.clear()
        if left:
            _log.error("%d records could not be written before the end: the log cannot be written.", len(left))
            self._postpone(left, LogUnavailable("Scriba has stopped before the entry could be written."))

    def _next_batch(self) -> list[_Waiter]:
        """Whatever waits now, at most `MAX_BATCH`; blocks while nothing does. Empty when it is over."""
        with self._condition:
            self._condition.wait_for(lambda: self._queue or self._gaps or self._closing)
            self._condition.wait_for(lambda: self._awaited or self._closing, _PATIENCE_SECONDS)
            for log, gap in self._gaps.items():
                self._queue.append(_Waiter(pending(log, _gap_record(gap)), None))
            self._gaps.clear()
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
                self._postpone(batch, error)
                return False
            return self._write_singly(batch, error)
        self._confirm(batch, placed)
        return True

    def _write_singly(self, batch: Sequence[_Waiter], error: Exception) -> bool:
        """Write record by record, so that one that no database takes does not hold up the others."""
        _log.error("A batch of %d records was refused.", len(batch), exc_info=error)
        if len(batch) > 1:
            written = [self._write([waiter]) for waiter in batch]
            return all(written)
        self._tell([(batch[0].future, LogUnavailable("The entry was refused by the database."), error)])
        return True

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
        self._tell([(waiter.future, unknown, error) for waiter in doubt.waiters])
        self._doubtful = _Doubt([_Waiter(waiter.item, None) for waiter in doubt.waiters], doubt.placed)
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

    def _postpone(self, batch: Sequence[_Waiter], error: ScribaError) -> None:
        """Who waits hears of the failure; what nobody waits for goes back to the head of the queue."""
        refusal = error if isinstance(error, LogUnavailable) else LogUnavailable(error.message, hint=error.hint)
        self._tell([(waiter.future, refusal, error) for waiter in batch])
        with self._condition:
            self._queue.extendleft(waiter for waiter in reversed(batch) if waiter.future is None)

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


def _gap_record(gap: _Gap) -> Gap:
    return Gap(start=gap.start, end=gap.end, count=gap.count, reason=gap.reason)
