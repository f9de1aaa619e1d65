"""One HTTP request and its answer, over ASGI."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from scriba.domain.ids import mint_id
from scriba.errors import BodyTooLarge, UnsupportedMedia
from scriba.gateway.caller import is_trusted, unmapped
from scriba.log_output import REQUEST_ID

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from scriba.auth import Principal
    from scriba.gateway.caller import Networks
    from scriba.gateway.headers import RawHeaders, RequestHeaders

__all__ = ["ClientGone", "Exchange", "Message", "Receive", "Send"]

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

_HOST: Final = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")
_JSON: Final = re.compile(rb"application/json[ \t]*(;[ \t]*charset=\"?utf-8\"?[ \t]*)?", re.IGNORECASE)


class ClientGone(Exception):
    """The caller hung up."""


class Exchange:
    """A request that is being answered.

    :ivar request_id: minted here; stands in the entry and in every answer
    :ivar audit_id: id of the entry, once there is one
    :ivar marks: headers that every answer to this request carries
    :ivar principal: whose key it is, once that is known
    :ivar started: whether the head of the answer has been sent, so that nothing else can be answered
    """

    def __init__(self, scope: Message, receive: Receive, send: Send, proxies: Networks) -> None:
        self.request_id = mint_id("req")
        REQUEST_ID.set(self.request_id)
        self.audit_id = ""
        self.marks: RawHeaders = [(b"x-request-id", self.request_id.encode())]
        self.started = False
        self.principal: Principal | None = None
        self._finished = False
        self._scope = scope
        self._receive = receive
        self._send = send
        self._proxies = proxies

    @property
    def headers(self) -> RawHeaders:
        """All headers of the request; names are lower case."""
        headers: RawHeaders = self._scope["headers"]
        return headers

    @property
    def peer(self) -> str:
        """Address of the other end of the connection; empty if it has none."""
        client = self._scope.get("client")
        return unmapped(client[0]) if client else ""

    @property
    def audit_url(self) -> str:
        """Address of the entry in the console, on the host that the caller reached us at; empty without an entry."""
        return f"{self._public_url()}/entries/{self.audit_id}" if self.audit_id else ""

    def _public_url(self) -> str:
        headers = dict(reversed(self.headers))
        host = headers.get(b"host", b"")
        scheme: str = self._scope["scheme"]
        if is_trusted(self.peer, self._proxies):
            host = headers.get(b"x-forwarded-host", host)
            scheme = "https" if headers.get(b"x-forwarded-proto", b"").lower() == b"https" else scheme
        name = host.decode("latin-1")
        return f"{scheme}://{name if _HOST.fullmatch(name) else _server_name(self._scope)}"

    async def read_body(self, headers: RequestHeaders, limit: int) -> tuple[bytes, str]:
        """Return the body and its SHA-256 in hex, which is computed as the body arrives.

        :raises BodyTooLarge: it has more than `limit` bytes
        :raises UnsupportedMedia: it is not declared as plain JSON
        :raises ClientGone: the caller hung up before its end
        """
        _check_media(headers)
        declared = headers.raw(b"content-length")
        if declared.isdigit() and int(declared) > limit:
            raise _too_large(limit)
        message = await self._next_message()
        body: bytes = message.get("body", b"")
        digest = hashlib.sha256(body)
        if not message.get("more_body") and len(body) <= limit:
            return body, digest.hexdigest()
        chunks, size = [body], len(body)
        while size <= limit and message.get("more_body"):
            message = await self._next_message()
            chunk = message.get("body", b"")
            digest.update(chunk)
            chunks.append(chunk)
            size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        return b"".join(chunks), digest.hexdigest()

    async def answer(self, status: int, headers: RawHeaders, body: bytes) -> None:
        """Send a whole answer."""
        await self.start(status, [*headers, (b"content-length", str(len(body)).encode())])
        await self.send(body, last=True)

    async def start(self, status: int, headers: RawHeaders) -> None:
        """Send the head of an answer."""
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": [*self.marks, *headers]})

    async def send(self, chunk: bytes, *, last: bool = False) -> None:
        """Send a piece of the body; returns when the connection can take more."""
        self._finished = last
        await self._send({"type": "http.response.body", "body": chunk, "more_body": not last})

    async def while_connected(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work, but stop it when the caller hangs up; the body must have been read.

        :raises ClientGone: it was stopped
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # a coroutine runs in a task
        watch = asyncio.create_task(self._watch(task))
        try:
            await work
        except asyncio.CancelledError:
            if not watch.done() or watch.cancelled() or not watch.result():
                raise
            task.uncancel()
            raise ClientGone from None
        finally:
            watch.cancel()

    async def _watch(self, task: asyncio.Task[Any]) -> bool:
        """Cancel the task once the caller has hung up, and say that it was this."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if self._finished:
            return False
        task.cancel()
        return True

    async def _next_message(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        return message


def _check_media(headers: RequestHeaders) -> None:
    encoding = headers.raw(b"content-encoding")
    if encoding.lower() not in {b"", b"identity"}:
        raise UnsupportedMedia("A compressed request body is not read here; send it plain.", param="content-encoding")
    kind = headers.raw(b"content-type")
    if kind and kind != b"application/json" and not _JSON.fullmatch(kind):
        raise UnsupportedMedia(
            "The request body must be JSON; send Content-Type: application/json.", param="content-type"
        )


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The request body has more than {limit} bytes.", param="body")


def _server_name(scope: Message) -> str:
    host, port = scope.get("server") or ("localhost", None)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}" if port else host
