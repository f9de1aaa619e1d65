"""A provider for tests: a real HTTP server on the loopback, as strict as OpenAI and Anthropic, that does as it is told.

It refuses what these refuse (an unknown path, a wrong key or one in the other one's header, no `anthropic-version`, a
malformed body) and, beyond that, anything that should have stayed inside the gateway.
"""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiohttp import web
from tests.dialects import OPERATIONS, USAGE, WORDS, error, half

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from tests.dialects import Operation

    Answer = Callable[["Provider", web.Request], Awaitable[web.StreamResponse]]

__all__ = [
    "KEY",
    "USAGE",
    "WORDS",
    "Provider",
    "Received",
    "completion",
    "dying",
    "failing",
    "hanging",
    "providing",
    "streamed",
]

KEY: Final = "sk-provider-5c8f2b1d"
"""The key that the provider takes; it must never show up anywhere."""

_SECONDS: Final = 20
_FORBIDDEN: Final = ("cookie", "forwarded", "x-forwarded-for", "x-policy-slot")
_VERSIONS: Final = ("2023-01-01", "2023-06-01", "2026-10-21")


class Received(NamedTuple):
    """One request that reached the provider, as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Provider:
    """What a test knows of the provider and can tell it.

    :ivar host: where it answers, without a slash at the end
    :ivar answer: how it answers the next requests
    :ivar received: every request, also the refused ones
    :ivar gate: what `streamed(held=True)` waits for after its first chunk
    :ivar asked: set when a request in order has come
    :ivar hung_up: set when a caller has gone before its answer was complete
    :ivar finished: set when an answer has been handed to the connection to its last byte
    """

    def __init__(self) -> None:
        self.host = ""
        self.answer: Answer = completion()
        self.received: list[Received] = []
        self.gate = threading.Event()
        self.asked = threading.Event()
        self.hung_up = threading.Event()
        self.finished = threading.Event()

    @property
    def url(self) -> str:
        """What a client of OpenAI's takes as its base URL; one of Anthropic's takes the host."""
        return f"{self.host}/v1"

    def reset(self) -> None:
        """Forget everything, for the next test."""
        self.answer = completion()
        self.received.clear()
        self.gate.clear()
        self.asked.clear()
        self.hung_up.clear()
        self.finished.clear()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer as told, if the request is in order."""
        body = await request.read()
        self.received.append(Received(request.path, {k.lower(): v for k, v in request.headers.items()}, body))
        if refusal := _refusal(request, body):
            return refusal
        self.asked.set()
        try:
            response = await self.answer(self, request)
        except (asyncio.CancelledError, ConnectionError):
            self.hung_up.set()
            raise
        self.finished.set()
        return response


def completion(usage: dict[str, int] | None = USAGE, headers: dict[str, str] | None = None) -> Answer:
    """Answer with a document at once, in the shape of what was asked for."""

    async def answer(_provider: Provider, request: web.Request) -> web.StreamResponse:
        document = OPERATIONS[request.path].document(await request.json(), usage)
        named = "request-id" if OPERATIONS[request.path].dialect == "anthropic" else "x-request-id"
        return web.json_response(document, headers={named: "req_of_provider"} | (headers or {}))

    return answer


def streamed(*, held: bool = False, times: int = 1, padding: int = 0) -> Answer:
    """Answer with a stream of events.

    :param held: whether it waits for the gate after the first event
    :param times: how often its words are repeated
    :param padding: spaces after each word
    """

    async def answer(provider: Provider, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        events = OPERATIONS[request.path].events
        assert events is not None, f"{request.path} has no streams"
        words = [word + " " * padding for word in WORDS * times]
        for number, event in enumerate(events(await request.json(), words)):
            await response.write(event)
            if held and number == 0:
                await asyncio.to_thread(provider.gate.wait, _SECONDS)
        return response

    return answer


def failing(status: int, message: str, **headers: str) -> Answer:
    """Answer with an error in the dialect's shape; underscores in header names stand for hyphens."""

    async def answer(_provider: Provider, request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response(error(request.path, message), status=status, headers=named)

    return answer


def hanging() -> Answer:
    """Never answer."""

    async def answer(_provider: Provider, _request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(_SECONDS)
        raise AssertionError("nobody hung up")

    return answer


def dying(after: int, *, cut: int = 0, length: int | None = None) -> Answer:
    """Break the connection in the middle of an answer.

    :param after: whole events before that; -1 breaks it before the answer begins
    :param cut: bytes of one more event
    :param length: announce a JSON answer of so many bytes, instead of a stream
    """

    async def answer(_provider: Provider, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        if after >= 0:
            kind = "text/event-stream" if length is None else "application/json"
            response = web.StreamResponse(headers={"Content-Type": kind})
            response.content_length = length
            await response.prepare(request)
            event = half(request.path, await request.json())
            await response.write(event * after + event[:cut])
            await asyncio.sleep(0.05)  # or the bytes would be thrown away with the connection
        request.transport.abort()
        return web.Response()

    return answer


@contextmanager
def providing() -> Iterator[Provider]:
    """Run a provider in a thread until the block ends."""
    provider = Provider()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="test-provider")
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(_start(provider), loop).result(_SECONDS)
    try:
        yield provider
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_SECONDS)
        loop.close()


async def _start(provider: Provider) -> web.AppRunner:
    application = web.Application(client_max_size=64 * 1024 * 1024)
    application.router.add_route("*", "/{path:.*}", provider.handle)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    provider.host = site.name
    return runner


def _refusal(request: web.Request, body: bytes) -> web.Response | None:
    operation = OPERATIONS.get(request.path)
    if request.method != "POST" or operation is None:
        return _answer(request, 404, "Invalid URL.")
    bearers, keys = request.headers.getall("Authorization", []), request.headers.getall("x-api-key", [])
    if (bearers, keys) != (([], [KEY]) if operation.dialect == "anthropic" else ([f"Bearer {KEY}"], [])):
        return _answer(request, 401, "Incorrect API key provided.", "invalid_api_key")
    if fault := _header_fault(request, operation) or _body_fault(body, operation):
        return _answer(request, 400, fault)
    return None


def _header_fault(request: web.Request, operation: Operation) -> str:
    if operation.dialect == "anthropic" and request.headers.get("anthropic-version") not in _VERSIONS:
        return "anthropic-version: header is required"
    if request.content_type != "application/json":
        return "Content-Type must be application/json."
    if "sk_scriba_" in str(request.headers):
        return "A key of somebody else's stands in the headers."
    names = [name.lower() for name in request.headers]
    wrong = [name for name in names if name in _FORBIDDEN or name.startswith("ai-reporting-")]
    return f"The header {wrong[0]} has no business here." if wrong else ""


def _body_fault(body: bytes, operation: Operation) -> str:
    try:
        asked = json.loads(body, object_pairs_hook=_once)
    except ValueError as problem:
        return f"We could not parse the JSON body of your request: {problem}"
    return operation.fault(asked) if isinstance(asked, dict) else "The body must be an object."


def _answer(request: web.Request, status: int, message: str, code: str | None = None) -> web.Response:
    return web.json_response(error(request.path, message, code), status=status)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name occurs twice")
    return dict(pairs)
