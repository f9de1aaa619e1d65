"""The part of a server that sends webhooks: it looks at the logs, takes what is due, and writes down how it went.

One runs in every server process; they share the work through the database. Nothing of a request waits for it: all its
work with the database is done in one thread of its own, and an attempt to one endpoint never waits for another's.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from scriba.delivery.attempt import Answer, Claimed, claim, due_endpoints, record_answer
from scriba.delivery.backlog import forget_old
from scriba.delivery.cursors import behind
from scriba.delivery.fan_out import fan_out
from scriba.delivery.pace import Pace
from scriba.delivery.schedule import Verdict
from scriba.delivery.signature import signed_headers
from scriba.domain.ids import mint_id
from scriba.errors import IntegrityError, ScribaError, Unavailable
from scriba.storage.events import Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from scriba.delivery.cursors import Behind
    from scriba.delivery.endpoints import Endpoints
    from scriba.delivery.fan_out import RecordsRead
    from scriba.delivery.sender import Sender
    from scriba.storage.database import Database
    from scriba.storage.hot import HotLogs

__all__ = ["MAX_UNDER_WAY", "Dispatcher"]

MAX_UNDER_WAY: Final = 128
"""Attempts under way in one process, each with a connection: the gateway has the greater part of what a process may
open. Endpoints that fail share one half of them, the others the other one."""

LOOK_SECONDS: Final = 1.0
"""How often the heads of the logs are looked at."""

_LONGEST_WRITE: Final = 0.04
"""Seconds after which a transaction takes up no further endpoint: SQLite lets nobody else write meanwhile."""

_REST_SECONDS: Final = 0.05
"""Between two rounds; whoever waits to append is next."""

_BROKEN: Final = (ScribaError, msgspec.MsgspecError, LookupError, TypeError, ValueError)
"""What comes of rows that are not as they were written."""

_DRAIN_SECONDS: Final = 3.0
_FORGET_SECONDS: Final = 3600.0
_MICROS: Final = 1_000_000
_T = TypeVar("_T")
_log: Final = logging.getLogger("scriba.delivery")


class Dispatcher:
    """Sends what the log tells to endpoints, from one process.

    :param clock: the database's time in microseconds, by which everything is due
    """

    def __init__(
        self,
        database: Database,
        hot: HotLogs,
        endpoints: Endpoints,
        sender: Sender,
        clock: Callable[[Connection], int] | None = None,
    ) -> None:
        self._database = database
        self._journal = Journal(hot)
        self._endpoints = endpoints
        self._sender = sender
        self._clock = clock or database.clock
        self._holder = mint_id("proc")
        self._paces: dict[str, Pace] = {}
        self._under_way: dict[str, int] = {}
        self._answers: list[tuple[Claimed, Answer]] = []
        self._attempts: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scriba-webhooks")
        self._stuck: dict[tuple[str, int], str] = {}
        self._looked_at = ("", 0)
        self._forgot_at: float | None = None
        self._loop_task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; on the event loop."""
        self._sender.open()
        self._loop_task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop taking up what is due, give attempts under way a moment, and write down how they went."""
        if self._loop_task is not None:
            self._loop_task.cancel()
            await asyncio.gather(self._loop_task, return_exceptions=True)
        if self._attempts:
            await asyncio.wait(self._attempts, timeout=_DRAIN_SECONDS)
        for attempt in self._attempts:
            attempt.cancel()
        try:
            await self._in_thread(self._record, self._taken_answers())
        except ScribaError as error:
            _log.warning("The last attempts of webhooks could not be written down and are made again: %s", error)
        await self._sender.close()
        self._thread.shutdown(wait=True)

    async def _run(self) -> None:
        while True:
            more = False
            try:
                more = await self.step()
            except ScribaError as error:
                _log.warning("Webhooks wait: %s", error)
            except Exception:  # noqa: BLE001 - the loop must outlive whatever one round brings up
                _log.exception("A round of the webhooks failed.")
            await asyncio.sleep(_REST_SECONDS)
            if not more:
                await self._pause()

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), LOOK_SECONDS)
        self._wake.clear()

    async def step(self) -> bool:
        """Do one round: write down, look, take up. Returns whether there is more to do at once."""
        answers = self._taken_answers()
        try:
            await self._in_thread(self._record, answers)
        except ScribaError:
            self._answers[:0] = answers
            raise
        more = await self._in_thread(self._look)
        for delivery, secrets, now in await self._in_thread(self._take_up):
            self._under_way[delivery.endpoint.id] = self._under_way.get(delivery.endpoint.id, 0) + 1
            attempt = asyncio.create_task(self._attempt(delivery, secrets, now))
            self._attempts.add(attempt)
            attempt.add_done_callback(self._attempts.discard)
        return more

    async def finish(self) -> None:
        """Wait for the attempts under way, and write down how they went."""
        while self._attempts:
            await asyncio.wait(self._attempts)
        await self._in_thread(self._record, self._taken_answers())

    async def _attempt(self, delivery: Claimed, secrets: Sequence[str], now: int) -> None:
        headers = signed_headers(secrets, delivery.event_id, now // _MICROS, delivery.body, replay=delivery.replay)
        try:
            answer = await self._sender.send(delivery.endpoint.url, headers, delivery.body)
        finally:
            self._under_way[delivery.endpoint.id] -= 1
        pace = self._paces[delivery.endpoint.id]
        if answer.verdict is Verdict.BUSY:
            pace.slow_down()
        elif answer.verdict is Verdict.DELIVERED:
            pace.speed_up()
        else:
            pace.fail()
        self._answers.append((delivery, answer))
        self._wake.set()

    def _taken_answers(self) -> list[tuple[Claimed, Answer]]:
        answers, self._answers = self._answers, []
        return answers

    async def _in_thread(self, work: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    # What follows runs in the thread.

    def _record(self, answers: Sequence[tuple[Claimed, Answer]]) -> None:
        # In one order everywhere, so that two processes never wait for each other in a circle.
        answers = sorted(answers, key=lambda pair: (pair[0].endpoint.id, pair[0].id))
        if not answers:
            return
        try:
            self._write_down(answers)
        except Unavailable:
            raise
        except _BROKEN:  # each by itself, so that none keeps another from being written down
            for pair in answers:
                self._write_down_alone(pair)

    def _write_down(self, answers: Sequence[tuple[Claimed, Answer]]) -> None:
        with self._database.write() as connection:
            now = self._clock(connection)
            for delivery, answer in answers:
                record_answer(connection, delivery, answer, now, journal=self._journal, jitter=_jitter)

    def _write_down_alone(self, pair: tuple[Claimed, Answer]) -> None:
        try:
            self._write_down([pair])
        except Unavailable:
            self._answers.append(pair)
        except _BROKEN as error:  # such as a log `admin` that was changed; the lease ends by itself
            _log.error("How the delivery %s went could not be written down: %s", pair[0].id, error)

    def _look(self) -> bool:
        """Turn new records into deliveries, for as many endpoints as one transaction has time for."""
        self._forget()
        with self._database.read() as connection:
            found = behind(connection)
        # Those that were not come to are first now.
        waiting = deque(sorted(found, key=lambda one: ((one.endpoint_id, one.log_id) <= self._looked_at, one)))
        if not waiting:
            return False
        more = False
        read: RecordsRead = {}
        with self._database.write() as connection:
            end = time.monotonic() + _LONGEST_WRITE
            while waiting and time.monotonic() < end:
                one = waiting.popleft()
                more |= self._fan_out(connection, one, read)
                self._looked_at = (one.endpoint_id, one.log_id)
        return more or bool(waiting)

    def _fan_out(self, connection: Connection, one: Behind, read: RecordsRead) -> bool:
        """Do it for one endpoint; what cannot be read in its log holds up this endpoint alone."""
        place = (one.endpoint_id, one.log_id)
        try:
            with connection.begin_nested():
                more = fan_out(connection, one, self._clock(connection), read)
        except Unavailable:
            raise
        except _BROKEN as error:
            if self._stuck.get(place) != str(error):
                self._stuck[place] = str(error)
                _log.error("The endpoint %s waits, for its log cannot be read on: %s", one.endpoint_id, error)
            return False
        self._stuck.pop(place, None)
        return more

    def _take_up(self) -> list[tuple[Claimed, list[str], int]]:
        with self._database.read() as connection:
            now = self._clock(connection)
            due = due_endpoints(connection, now)
        places = self._places(due, now)
        if not places:
            return []
        with self._database.write() as connection:
            claimed = claim(connection, self._holder, places, now)
        for endpoint_id, granted in places.items():
            self._paces[endpoint_id].give_back(granted - sum(each.endpoint.id == endpoint_id for each in claimed))
        return list(self._with_secrets(claimed, now))

    def _with_secrets(self, claimed: Sequence[Claimed], now: int) -> Iterator[tuple[Claimed, list[str], int]]:
        """Add what each is signed with; an endpoint whose secrets were changed fails by itself."""
        for delivery in claimed:
            try:
                yield delivery, self._endpoints.signing_secrets(delivery.endpoint, now), now
            except IntegrityError as error:
                _log.error("%s", error)
                self._answers.append((delivery, Answer(status=None, error="secret_unreadable", duration_ms=0)))

    def _places(self, due: Mapping[str, int], now: int) -> dict[str, int]:
        """Share out the free places: one half of all is for endpoints that fail, the other for those that do not."""
        places: dict[str, int] = {}
        under_way = dict(self._under_way)
        for is_failing in (False, True):
            left = MAX_UNDER_WAY // 2 - sum(
                count for endpoint_id, count in under_way.items() if self._paces[endpoint_id].is_failing is is_failing
            )
            paces = {each: pace for each in due if (pace := self._pace(each)).is_failing is is_failing}
            waiting = sorted(paces, key=lambda each: (under_way.get(each, 0), due[each]))
            for number, endpoint_id in enumerate(waiting):
                pace = paces[endpoint_id]
                share = -(-left // (len(waiting) - number))  # of what is left, rounded up
                free = min(pace.width - under_way.get(endpoint_id, 0), share)
                if free > 0 and (granted := pace.take(free, now)):
                    places[endpoint_id] = granted
                    left -= granted
        return places

    def _pace(self, endpoint_id: str) -> Pace:
        return self._paces.setdefault(endpoint_id, Pace())

    def _forget(self) -> None:
        """Once an hour, forget what is over."""
        now = time.monotonic()
        if self._forgot_at is None or now - self._forgot_at >= _FORGET_SECONDS:
            self._forgot_at = now
            with self._database.write() as connection:
                forget_old(connection, self._clock(connection))


def _jitter() -> float:
    return random.uniform(-1, 1)  # noqa: S311 - spreads load, protects nothing
