"""Passing a request on and its answer back, chunk by chunk, and what is recorded at the end."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from scriba.domain.record import Ended, Outcome
from scriba.gateway.answer import UpstreamConnectionError, UpstreamTimeoutError, problem_of
from scriba.gateway.exchange import ClientGone
from scriba.gateway.usage import NO_USAGE, Usage, usage_reader
from scriba.metrics import measure_upstream, measure_upstream_head

if TYPE_CHECKING:
    from scriba.gateway.exchange import Exchange
    from scriba.gateway.headers import RawHeaders
    from scriba.gateway.upstream import Call, Reply, Upstream

__all__ = ["CLIENT_CLOSED_REQUEST", "Forwarding"]

CLIENT_CLOSED_REQUEST: Final = 499
"""What nginx logs for a caller that hung up before the answer began; no answer carries it."""

_EVENTS: Final = b"text/event-stream"
_log: Final = logging.getLogger("scriba.gateway")


class Forwarding:
    """One call to a provider.

    :ivar status: the status that the caller got
    :ivar ended: who ended it
    :ivar usage: tokens, as far as the provider said
    """

    def __init__(self, exchange: Exchange, upstream: Upstream, call: Call) -> None:
        self.status = 500
        self.ended = Ended.UPSTREAM
        self.usage: Usage = NO_USAGE
        self._exchange = exchange
        self._upstream = upstream
        self._call = call
        self._began = time.perf_counter()

    async def run(self) -> None:
        """Call the provider and answer the caller with what it says.

        :raises UpstreamConnectionError: before the answer began
        :raises UpstreamTimeoutError: before the answer began
        """
        try:
            await self._exchange.while_connected(self._pass())
        except (ClientGone, asyncio.CancelledError) as error:
            # The end of this process cancels too: for the provider, its client has gone in either case.
            self.ended = Ended.CLIENT
            self.status = self.status if self._exchange.started else CLIENT_CLOSED_REQUEST
            if isinstance(error, asyncio.CancelledError):
                raise
        except (UpstreamConnectionError, UpstreamTimeoutError) as error:
            _log.warning("%s: %s", self._exchange.request_id, error)
            if not self._exchange.started:
                self.status = error.status
                raise
        finally:
            measure_upstream(self._call.provider, self._began)

    def outcome(self, decision: int) -> Outcome:
        """Return the record of how the call ended.

        :param decision: seq of the decision in its log
        """
        return Outcome(
            decision=decision,
            status=self.status,
            duration_ms=int((time.perf_counter() - self._began) * 1000),
            ended=self.ended,
            input_tokens=self.usage.input_tokens,
            output_tokens=self.usage.output_tokens,
        )

    async def _pass(self) -> None:
        reply = await self._upstream.call(self._call)
        measure_upstream_head(self._call.provider, self._began)
        try:
            self.status = reply.status
            await self._exchange.start(reply.status, reply.headers)
            await self._pass_body(reply)
        finally:
            reply.close()

    async def _pass_body(self, reply: Reply) -> None:
        kind = _header(reply.headers, b"content-type")
        reader = usage_reader(kind, _header(reply.headers, b"content-encoding"), self._call.route.read_usage)
        chunk = b""
        try:
            while following := await reply.next_chunk():
                chunk = following
                await self._exchange.send(chunk)
                reader.feed(chunk)
        except (UpstreamConnectionError, UpstreamTimeoutError) as error:
            # The answer stays without its end, so the server breaks the connection and nobody takes it for whole.
            if kind.startswith(_EVENTS) and chunk.endswith((b"\n\n", b"\r\n\r\n")):
                await self._exchange.send(self._call.route.encode_event(problem_of(error, self._exchange)))
            raise
        finally:
            self.usage = reader.usage()
        await self._exchange.send(b"", last=True)
        self.ended = Ended.COMPLETE


def _header(headers: RawHeaders, name: bytes) -> bytes:
    return next((value for known, value in headers if known == name), b"")
