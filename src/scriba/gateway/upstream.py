"""Calls to providers over HTTP, through one pool of connections."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, Final, Protocol

import aiohttp
import msgspec
from yarl import URL

from scriba.gateway.answer import UpstreamConnectionError, UpstreamTimeoutError
from scriba.gateway.anthropic import DEFAULT_VERSION
from scriba.gateway.headers import RawHeaders, for_client, for_provider
from scriba.gateway.route import Route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scriba.gateway.configured import Target
    from scriba.gateway.route import Dialect

__all__ = ["CONNECT_SECONDS", "READ_SECONDS", "Call", "HttpUpstreams", "Reply", "Upstream"]

CONNECT_SECONDS: Final = 10.0
"""How long a connection to a provider may take."""

READ_SECONDS: Final = 600.0
"""How long a provider may be silent: the default patience of the usual clients. There is no limit on the whole
answer, which would cut long streams."""

_ANSWERS: Final = frozenset({*range(200, 300), *range(400, 600)})
"""Statuses that are passed on. A redirect would make the caller's client go elsewhere by itself, past the policy."""

_LARGE: Final = 1024 * 1024
"""Bytes from which on a body is sent piece by piece, so that other requests get their turn."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request to a provider.

    :param headers: all headers of the caller's request
    """

    provider: str
    route: Route
    headers: RawHeaders
    body: bytes


class Reply(Protocol):
    """A provider's answer, whose body is still to come."""

    status: int
    headers: RawHeaders

    async def next_chunk(self) -> bytes:
        """Wait for the next piece of the body; empty at its end.

        :raises UpstreamConnectionError: the connection broke before the end
        :raises UpstreamTimeoutError: nothing came for too long
        """

    def close(self) -> None:
        """Let go of the connection; it is used again only if the body was read to its end."""


class Upstream(Protocol):
    """Something that answers calls."""

    async def call(self, call: Call) -> Reply:
        """Send a request and wait for the head of the answer.

        :raises UpstreamConnectionError: no connection, or it broke
        :raises UpstreamTimeoutError: no answer in time
        """


class HttpUpstreams:
    """The providers at their addresses. Open it on the event loop that uses it."""

    def __init__(self, targets: Mapping[str, Target]) -> None:
        self._targets = targets
        self._addresses: dict[tuple[str, str], URL] = {}
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """Make the pool. No limit of its own: each of the requests in flight needs a connection."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def call(self, call: Call) -> Reply:
        """See `Upstream`. The body goes out as it is, under the provider's own key."""
        assert self._session is not None, "HttpUpstreams was not opened"  # noqa: S101
        target = self._targets[call.provider]
        data = call.body if len(call.body) < _LARGE else io.BytesIO(call.body)
        try:
            response = await self._session.post(
                self._address(call.provider, target, call.route),
                data=data,
                headers=_headers(call, target),
                allow_redirects=False,
            )
        except TimeoutError as error:
            raise _timed_out(call.provider) from error
        except aiohttp.ClientError as error:
            raise _unreachable(call.provider) from error
        if response.status not in _ANSWERS:
            response.close()
            raise _no_answer(call.provider, response.status)
        return _HttpReply(call.provider, response)

    def _address(self, provider: str, target: Target, route: Route) -> URL:
        address = self._addresses.get((provider, route.path))
        if address is None:
            address = URL(target.base_urls[route.dialect] + route.path)
            self._addresses[provider, route.path] = address
        return address


class _HttpReply:
    """An answer over HTTP. `headers` are those for the caller."""

    def __init__(self, provider: str, response: aiohttp.ClientResponse) -> None:
        self.status = response.status
        self.headers = for_client(response.raw_headers)
        self._provider = provider
        self._response = response

    async def next_chunk(self) -> bytes:
        try:
            return await self._response.content.readany()
        except TimeoutError as error:
            raise _timed_out(self._provider) from error
        except (aiohttp.ClientError, asyncio.IncompleteReadError) as error:
            raise _unreachable(self._provider) from error

    def close(self) -> None:
        if self._response.connection is not None:  # else it went back to the pool at the end of the body
            self._response.close()


def _headers(call: Call, target: Target) -> list[tuple[str, str]]:
    """Return the caller's headers that go on, and ours.

    Nothing compressed is asked for: token counts are read from the answer, and a stream's chunks must not wait for
    a compressor.
    """
    headers = for_provider(call.headers)
    headers += (("content-type", "application/json"), ("accept-encoding", "identity"))
    if target.key is not None:
        headers.append(_credential(call.route.dialect, target.key.reveal()))
    if call.route.dialect == "anthropic" and not any(name == "anthropic-version" for name, _ in headers):
        headers.append(("anthropic-version", DEFAULT_VERSION))
    return headers


def _credential(dialect: Dialect, key: str) -> tuple[str, str]:
    return ("x-api-key", key) if dialect == "anthropic" else ("authorization", f"Bearer {key}")


def _unreachable(provider: str) -> UpstreamConnectionError:
    return UpstreamConnectionError(f"The provider '{provider}' could not be reached, or broke the connection.")


def _no_answer(provider: str, status: int) -> UpstreamConnectionError:
    return UpstreamConnectionError(f"The provider '{provider}' answered with status {status}, which is not passed on.")


def _timed_out(provider: str) -> UpstreamTimeoutError:
    return UpstreamTimeoutError(f"The provider '{provider}' did not answer in time.")
