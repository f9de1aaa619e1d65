"""What a connection may cost before there is a request on it to judge.

The protocol that this is built on collects headers and trailers without any limit and waits for a body for ever.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from scriba.api.stream import AT_SHUTDOWN
from scriba.domain.ids import mint_id
from scriba.gateway.answer import Problem
from scriba.gateway.openai import encode_problem

if TYPE_CHECKING:
    import asyncio

    from uvicorn import Config
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
    from uvicorn.server import ServerState

__all__ = ["MAX_HEAD_BYTES", "PATIENCE_SECONDS", "Connection"]

MAX_HEAD_BYTES: Final = 64 * 1024
"""Bytes of a request line with all headers, or of anything else that the parser collects before it tells of it."""

PATIENCE_SECONDS: Final = 60.0
"""For how long a request may make no progress: until its head is whole, and from each piece of its body to the next.
As long as nginx waits (`client_header_timeout`, `client_body_timeout`)."""

_LAST_WORDS_SECONDS: Final = 1.0


class Connection(HttpToolsProtocol):
    """One connection, which ends if the client sends a head without end or stops in the middle of a request.

    :cvar patience: seconds that it waits for progress
    """

    patience = PATIENCE_SECONDS

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._collected = 0  # bytes since the parser last told of anything
        self._told = False
        self._in_head = True
        self._in_request = True  # the first one is expected from the beginning
        self._last_progress = 0.0
        self._watch: asyncio.TimerHandle | None = None

    # Called by the event loop

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._progress()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, but never more than the limit without the parser telling of it."""
        while len(data) > (room := MAX_HEAD_BYTES - self._collected):
            self._parse(data[:room])
            if self._collected:
                self._refuse_head()
            if self.transport.is_closing():
                return
            data = data[room:]
        self._parse(data)

    def shutdown(self) -> None:
        """End an answer that would never end by itself, too, and not wait for a client that does not read it."""
        super().shutdown()
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and (end := cycle.scope["state"].get(AT_SHUTDOWN)) is not None:
            end()
            self.loop.call_later(_LAST_WORDS_SECONDS, self.transport.abort)

    # Called by the parser

    def on_message_begin(self) -> None:
        """Note that a request has begun."""
        super().on_message_begin()
        self._in_head = self._in_request = True

    def on_headers_complete(self) -> None:
        """Note that its head is whole."""
        self._told, self._in_head = True, False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Note that its body goes on."""
        self._told = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that it has ended."""
        self._told, self._in_request = True, False
        super().on_message_complete()

    def _parse(self, data: bytes) -> None:
        begins = not self._collected
        self._told = False
        super().data_received(data)
        self._collected = 0 if self._told else self._collected + len(data)
        if self._told or begins:
            self._progress()

    def _progress(self) -> None:
        self._last_progress = self.loop.time()
        if self._watch is None and (self._in_request or self._collected):
            self._watch = self.loop.call_later(self.patience, self._look)

    def _look(self) -> None:
        """Give a client up that has made no progress for too long; else look again when that could be."""
        self._watch = None
        if self.transport.is_closing() or not (self._in_request or self._collected):
            return
        now = self.loop.time()
        if self._keeps_client_waiting():
            self._last_progress = now
        left = self._last_progress + self.patience - now
        if left > 0:
            self._watch = self.loop.call_later(left, self._look)
        else:
            self._give_up()

    def _keeps_client_waiting(self) -> bool:
        """Whether the next step is ours: we do not read, or are still answering a request that has come whole."""
        cycle: RequestResponseCycle | None = self.cycle
        is_answering = cycle is not None and not cycle.more_body and not cycle.response_complete
        return self.flow.read_paused or is_answering

    def _refuse_head(self) -> None:
        if self._in_head:
            message = f"The request line and the headers have more than {MAX_HEAD_BYTES} bytes together."
            self._answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", message)
        self.transport.close()

    def _give_up(self) -> None:
        if not self._in_head:
            message = f"Nothing more of the request body came for {self.patience:g} seconds."
            self._answer(HTTPStatus.REQUEST_TIMEOUT, "request_timeout", message)
        self.transport.close()

    def _answer(self, status: HTTPStatus, code: str, message: str) -> None:
        """Answer in place of the application, unless an answer is under way that this would end up in."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and cycle.response_started and not cycle.response_complete:
            return
        problem = Problem(status=status, code=code, message=message, request_id=mint_id("req"))
        body = encode_problem(problem)
        headers = [
            *self.server_state.default_headers,
            *problem.headers(),
            (b"x-request-id", problem.request_id.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        lines = [b"%b: %b\r\n" % header for header in headers]
        self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", body]))
