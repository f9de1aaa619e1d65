"""A receiver of webhooks for tests: a real HTTP server on the loopback that refuses what a careful receiver refuses.

It verifies the signature over the raw bytes with the public library of Standard Webhooks, and keeps apart what it
processed from what came again. It does what it is told: fail, be slow, lead elsewhere, never end.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    Mode = Callable[[web.Request], Awaitable[web.StreamResponse]]

__all__ = ["SECRET", "Got", "Receiver", "broken", "endless", "receiving", "redirecting", "status", "stuck"]

SECRET: Final = "whsec_xxx"
"""The secret of the public contract's sample, which the receiver knows unless it is told others."""

_SECONDS: Final = 30
_TOLERANCE: Final = 300
_NAMES: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")


class Got(NamedTuple):
    """One request that came: its path, its headers in lower case, and its raw body."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Receiver:
    """What a test knows of the receiver and can tell it.

    :ivar secrets: those that it knows; each request must carry a signature by one of them
    :ivar modes: how it answers by path; others are answered with 200
    :ivar now: its clock, in seconds
    :ivar came: every request, also the refused ones and the repeated ones
    :ivar processed: those that were in order, the first of each event
    :ivar refused: why requests were refused
    """

    def __init__(self, *secrets: str) -> None:
        self.url = ""
        self.secrets = list(secrets or (SECRET,))
        self.modes: dict[str, Mode] = {}
        self.now: Callable[[], float] = time.time
        self.came: list[Got] = []
        self.processed: list[Got] = []
        self.refused: list[str] = []
        self._ids: set[tuple[str, str]] = set()
        self._changed = threading.Condition()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Take one request."""
        got = Got(request.path, {k.lower(): v for k, v in request.headers.items()}, await request.read())
        with self._changed:
            self.came.append(got)
            self._changed.notify_all()
        if complaint := self.complaint(got):
            self.refused.append(complaint)
            return web.Response(status=400, text=complaint)
        if (mode := self.modes.get(request.path)) is not None:
            answer = await mode(request)
            if answer.status >= 300:
                return answer
        with self._changed:
            if (key := (got.path, got.headers["webhook-id"])) not in self._ids:
                self._ids.add(key)
                self.processed.append(got)
            self._changed.notify_all()
        return web.Response(text="thanks")

    def complaint(self, got: Got) -> str:  # noqa: PLR0911 - one for each refusal
        """Return why a request is refused; empty if it is in order."""
        if missing := [name for name in _NAMES if not got.headers.get(name)]:
            return f"missing {missing}"
        if any(got.headers.get(f"case-{name}") != got.headers[name] for name in _NAMES):
            return "the two sets of headers differ"
        if got.headers.get("content-type") != "application/json":
            return "not JSON"
        stamp = got.headers["webhook-timestamp"]
        if not stamp.isdecimal() or abs(int(stamp) - self.now()) > _TOLERANCE:
            return f"timestamp {stamp} is not of this moment"
        if "." in got.headers["webhook-id"] or got.headers["webhook-id"] != got.json.get("id"):
            return "the id is not that of the body"
        if not any(self._is_signed(got, secret) for secret in self.secrets):
            return "no good signature"
        return ""

    def _is_signed(self, got: Got, secret: str) -> bool:
        # The library looks at the real clock; ours was looked at above.
        shifted = Webhook(secret)
        shifted._Webhook__verify_timestamp = lambda text: _moment(int(text))  # type: ignore[attr-defined]
        try:
            shifted.verify(got.body, got.headers)
        except WebhookVerificationError:
            return False
        return True

    def wait_for(self, count: int, path: str | None = None) -> list[Got]:
        """Wait until so many events were processed, if need be on one path, and return them."""
        return self._wait(self.processed, count, path)

    def wait_for_requests(self, count: int, path: str | None = None) -> list[Got]:
        """Wait until so many requests came, whatever was made of them, and return them."""
        return self._wait(self.came, count, path)

    def _wait(self, among: list[Got], count: int, path: str | None) -> list[Got]:
        def found() -> list[Got]:
            return [got for got in among if path in {None, got.path}]

        with self._changed:
            assert self._changed.wait_for(lambda: len(found()) >= count, _SECONDS), (found(), self.refused)
            return found()


def _moment(seconds: int) -> Any:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC)


def status(code: int, headers: dict[str, str] | None = None) -> Mode:
    """Answer with this status."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=code, headers=headers)

    return answer


def redirecting(location: str) -> Mode:
    """Lead elsewhere."""
    return status(301, {"location": location})


def stuck() -> Mode:
    """Never answer."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    return answer


def broken() -> Mode:
    """Drop the connection."""

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response(status=500)

    return answer


def endless() -> Mode:
    """Answer with a body that does not end."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 4096)

    return answer


@contextmanager
def receiving(*secrets: str) -> Iterator[Receiver]:
    """Run a receiver in a thread until the block ends.

    :param secrets: those that it knows; without any, the sample's
    """
    receiver = Receiver(*secrets)
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    done = asyncio.Event()

    async def serve() -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", receiver.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        ready.set()
        await done.wait()
        await runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def run() -> None:
        loop.run_until_complete(serve())
        loop.close()

    thread = threading.Thread(target=run, name="scriba-test-receiver")
    thread.start()
    try:
        assert ready.wait(_SECONDS)
        yield receiver
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(_SECONDS)
