"""`/governance/audit-logs/stream`: entries as they are logged, as server-sent events.

The format is that of the HTML standard, section 9.2. The id of an event says how far the logs have been told; a client
that comes back with the last one it has seen (`Last-Event-ID`, as browsers do) goes on behind it and misses nothing.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from fastapi import APIRouter, Header, Request, Response
from starlette.types import Receive, Scope, Send

from scriba.api.access import Caller, services_of
from scriba.api.query import FilterQuery
from scriba.audit.query import AuditLog
from scriba.audit.tail import Heard, Places, Told, format_places, parse_places
from scriba.audit.watch import Listener
from scriba.domain.filter import Filters
from scriba.errors import InvalidInput, Unauthenticated

__all__ = ["AT_SHUTDOWN", "router"]

router = APIRouter()

AT_SHUTDOWN: Final = "at_shutdown"
"""Where an answer without an end leaves, in the state of its request, what is called when the server stops."""

_KEEP_ALIVE_SECONDS: Final = 15.0
_KEY_SECONDS: Final = 2.0
_SLOW_SECONDS: Final = 60.0
_RETRY_MILLISECONDS: Final = 2000
_BATCH: Final = 100
_EVENT_STREAM: Final = "text/event-stream"
_LAST_EVENT_ID: Final = "Last-Event-ID"
_Waiting: TypeAlias = Coroutine[Any, Any, object]


@router.get(
    "/governance/audit-logs/stream",
    response_class=Response,
    responses={
        200: {"description": "The entries, as events.", "content": {_EVENT_STREAM: {"schema": {"type": "string"}}}}
    },
)
async def stream_entries(
    request: Request,
    caller: Caller,
    query: FilterQuery,
    last_event_id: Annotated[str | None, Header(description="The id of the last event that was seen.")] = None,
) -> Response:
    """Tell entries as they are logged, as server-sent events."""
    services = services_of(request)
    filters, org_id = query.filters(), caller.org_id
    first = await asyncio.to_thread(_begin, services.audit_log, org_id, filters, last_event_id)
    listener = services.log_watch.join(org_id)
    follower = _Follower(
        services.audit_log, filters, listener, lambda: services.authenticator.principal_of(caller.key_id)
    )
    return _EventStream(follower.events(first), lambda: services.log_watch.leave(listener))


def _begin(audit_log: AuditLog, org_id: str, filters: Filters, last_event_id: str | None) -> Heard:
    """Read what is told first: nothing, or what was logged since the last event that was seen.

    :raises InvalidInput: that was no event of this stream
    """
    if last_event_id is None:
        return Heard([], audit_log.ends(org_id), has_more=False)
    try:
        return audit_log.after(org_id, parse_places(last_event_id, _LAST_EVENT_ID), filters, limit=_BATCH)
    except InvalidInput as error:
        error.param = _LAST_EVENT_ID
        raise


class _Follower:
    """Follows the logs for one client, no faster than it reads: what waits for it is one batch, and the log itself.

    :param check_key: blocks shortly, and raises `Unauthenticated` once the client's key is good no more
    """

    def __init__(
        self, audit_log: AuditLog, filters: Filters, listener: Listener, check_key: Callable[[], object]
    ) -> None:
        self._audit_log = audit_log
        self._filters = filters
        self._listener = listener
        self._check_key = check_key
        self._told = ""

    async def events(self, heard: Heard) -> AsyncIterator[bytes]:
        """Yield pieces of the stream until the key is good no more."""
        yield f"retry: {_RETRY_MILLISECONDS}\n\n".encode()
        now = time.monotonic()
        check_at, speak_at = now + _KEY_SECONDS, now
        while True:
            if heard.told:
                self._told = format_places(heard.told[-1].places)
                yield b"".join(map(_event, heard.told))
                speak_at = time.monotonic() + _KEEP_ALIVE_SECONDS
            if time.monotonic() >= check_at:
                if not await self._is_welcome():
                    return
                check_at = time.monotonic() + _KEY_SECONDS
            if time.monotonic() >= speak_at:
                yield self._sign_of_life(heard.places)
                speak_at = time.monotonic() + _KEEP_ALIVE_SECONDS
            if heard.has_more or await self._has_grown(min(check_at, speak_at)):
                self._listener.grown.clear()
                heard = await asyncio.to_thread(self._read, heard.places)
            elif heard.told:
                heard = heard._replace(told=())

    def _read(self, places: Places) -> Heard:
        return self._audit_log.after(self._listener.org_id, places, self._filters, limit=_BATCH)

    async def _is_welcome(self) -> bool:
        try:
            await asyncio.to_thread(self._check_key)
        except Unauthenticated:
            return False
        return True

    async def _has_grown(self, until: float) -> bool:
        try:
            async with asyncio.timeout(max(until - time.monotonic(), 0)):
                return await self._listener.grown.wait()
        except TimeoutError:
            return False

    def _sign_of_life(self, places: Places) -> bytes:
        """Return a comment, and where the logs have come, if other entries than those asked for have gone by."""
        reached = format_places(places)
        if reached == self._told:
            return b": keep-alive\n"
        self._told = reached
        return b": keep-alive\nid: " + reached.encode() + b"\n\n"


def _event(told: Told) -> bytes:
    return b"id: %b\ndata: %b\n\n" % (format_places(told.places).encode(), msgspec.json.encode(told.entry))


class _EventStream(Response):
    """An answer that goes on until the client leaves, its key is revoked or the server stops."""

    media_type = _EVENT_STREAM

    def __init__(self, events: AsyncIterator[bytes], leave: Callable[[], None]) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._events = events
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events; whatever happens, nothing of the stream is left behind."""
        stopping = asyncio.Event()
        scope.setdefault("state", {})[AT_SHUTDOWN] = stopping.set
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            is_ended = await self._send_until(send, _is_gone(receive), stopping.wait())
        finally:
            self._leave()
        if is_ended:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_until(self, send: Send, leaving: _Waiting, stopping: _Waiting) -> bool:
        """Send until the stream ends or one of the others is done; True if there is still somebody to tell of it."""
        sending = asyncio.create_task(self._send_all(send))
        others = [asyncio.create_task(each) for each in (leaving, stopping)]
        tasks = (sending, *others)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            is_gone = others[0].done()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if is_gone:
            return False
        return sending.cancelled() or sending.result()

    async def _send_all(self, send: Send) -> bool:
        """Send every event; False if the client does not take them."""
        async for piece in self._events:
            try:
                async with asyncio.timeout(_SLOW_SECONDS):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            except TimeoutError:
                return False
        return True


async def _is_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
