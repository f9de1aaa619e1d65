"""A provider for tests: a real HTTP server on the loopback that is as strict as OpenAI and does what it is told.

It refuses what OpenAI refuses (a wrong key, a body that is no chat completion) and, beyond that, anything that should
have stayed inside the gateway.
"""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    Answer = Callable[["Provider", web.Request], Awaitable[web.StreamResponse]]

__all__ = ["KEY", "Provider", "Received", "completion", "dying", "failing", "hanging", "providing", "streamed"]

KEY: Final = "sk-provider-5c8f2b1d"
"""The key that the provider takes; it must never show up anywhere."""

WORDS: Final = ("One", " answer", " of", " the", " provider")
USAGE: Final = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}

_SECONDS: Final = 20
_FORBIDDEN: Final = ("cookie", "forwarded", "x-api-key", "x-forwarded-for", "x-policy-slot")


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

    :ivar answer: how it answers the next requests
    :ivar received: every request, also the refused ones
    :ivar gate: what `streamed(held=True)` waits for after its first chunk
    :ivar asked: set when a request in order has come
    :ivar hung_up: set when a caller has gone before its answer was complete
    :ivar finished: set when an answer has been handed to the connection to its last byte
    """

    def __init__(self) -> None:
        self.url = ""
        self.answer: Answer = completion()
        self.received: list[Received] = []
        self.gate = threading.Event()
        self.asked = threading.Event()
        self.hung_up = threading.Event()
        self.finished = threading.Event()

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
    """Answer with a chat completion at once."""

    async def answer(_provider: Provider, request: web.Request) -> web.StreamResponse:
        message = {"role": "assistant", "content": "".join(WORDS)}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        document = _head(await request.json()) | {"object": "chat.completion", "choices": choices, "usage": usage}
        return web.json_response(document, headers={"x-request-id": "req_of_provider"} | (headers or {}))

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
        asked = await request.json()
        head = _head(asked) | {"object": "chat.completion.chunk"}
        for number, word in enumerate(WORDS * times):
            await response.write(_event(head | {"choices": [{"index": 0, "delta": {"content": word + " " * padding}}]}))
            if held and number == 0:
                await asyncio.to_thread(provider.gate.wait, _SECONDS)
        if asked.get("stream_options", {}).get("include_usage"):
            await response.write(_event(head | {"choices": [], "usage": USAGE}))
        await response.write(b"data: [DONE]\n\n")
        return response

    return answer


def failing(status: int, message: str, **headers: str) -> Answer:
    """Answer with an error in OpenAI's shape; underscores in header names stand for hyphens."""

    async def answer(_provider: Provider, _request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response(_error(message), status=status, headers=named)

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
            event = _event(_head(await request.json()) | {"choices": [{"index": 0, "delta": {"content": "Half"}}]})
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
    provider.url = f"{site.name}/v1"
    return runner


def _refusal(request: web.Request, body: bytes) -> web.Response | None:
    if request.headers.getall("Authorization", []) != [f"Bearer {KEY}"]:
        return web.json_response(_error("Incorrect API key provided.", "invalid_api_key"), status=401)
    if (request.method, request.path) != ("POST", "/v1/chat/completions"):
        return web.json_response(_error("Invalid URL."), status=404)
    if request.content_type != "application/json":
        return web.json_response(_error("Content-Type must be application/json."), status=400)
    for name in request.headers:
        if (
            name.lower() in _FORBIDDEN
            or name.lower().startswith("ai-reporting-")
            or "sk_scriba_" in str(request.headers)
        ):
            return web.json_response(_error(f"The header {name} has no business here."), status=400)
    return _body_refusal(body)


def _body_refusal(body: bytes) -> web.Response | None:
    try:
        asked = json.loads(body, object_pairs_hook=_once)
    except ValueError as error:
        return web.json_response(_error(f"We could not parse the JSON body of your request: {error}"), status=400)
    if isinstance(asked, dict) and isinstance(asked.get("model"), str) and isinstance(asked.get("messages"), list):
        return None
    return web.json_response(_error("you must provide a model and messages"), status=400)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name occurs twice")
    return dict(pairs)


def _head(asked: dict[str, Any]) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "created": 1_750_000_000, "model": asked["model"]}


def _event(document: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(document)}\n\n".encode()


def _error(message: str, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}
