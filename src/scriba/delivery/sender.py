"""One attempt over HTTP: the address is judged where it is connected to, and nothing leads elsewhere.

There is no way around the guard: names are resolved by us for every attempt, each address of a host must be allowed,
the socket is made for an address that was judged again, connections are not kept, redirects are not followed, and no
proxy of the environment is used.
"""

from __future__ import annotations

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from scriba.delivery.address import is_forbidden
from scriba.delivery.attempt import Answer
from scriba.delivery.destination import check_url, forbidden_among, look_up
from scriba.delivery.schedule import parse_retry_after
from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohttp.connector import AddrInfoType

    from scriba.delivery.destination import AddressInfo, Lookup
    from scriba.settings import WebhookSettings

__all__ = ["REQUEST_SECONDS", "BlockedAddress", "Sender"]

REQUEST_SECONDS: Final = 15.0
"""How long a whole attempt may take, from the name's lookup to the end of the answer."""

_READ_BYTES: Final = 64 * 1024
_KEPT_BYTES: Final = 1024
_LOOKUPS: Final = 32
_ERRORS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (aiohttp.ClientConnectorDNSError, "host_not_found"),
    (aiohttp.ClientSSLError, "tls_failed"),
    (aiohttp.ClientConnectorError, "connection_failed"),
    (TimeoutError, "timeout"),
    (aiohttp.ClientError, "connection_broken"),
    (OSError, "connection_failed"),
    (ValueError, "connection_broken"),
)


class BlockedAddress(OSError):
    """An address that nothing is sent to."""


class _Resolver(AbstractResolver):
    """Finds addresses in threads of its own, so that slow name servers of receivers hold up nobody else.

    A host is looked for once at a time, however many attempts ask for it.
    """

    def __init__(self, rules: WebhookSettings, lookup: Lookup) -> None:
        self._rules = rules
        self._lookup = lookup
        self._threads = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="scriba-webhook-dns")
        self._running: dict[tuple[str, int], asyncio.Future[Sequence[AddressInfo]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._find(host, port)
        if (address := forbidden_among(found, self._rules)) is not None:
            raise BlockedAddress(f"{host} leads to {address}")
        return [
            ResolveResult(hostname=host, host=str(info[4][0]), port=port, family=info[0], proto=info[2], flags=0)
            for info in found
            if family in {socket.AF_UNSPEC, info[0]}
        ]

    async def _find(self, host: str, port: int) -> Sequence[AddressInfo]:
        if (running := self._running.get((host, port))) is None:
            loop = asyncio.get_running_loop()
            running = loop.run_in_executor(self._threads, self._lookup, host, port)
            self._running[host, port] = running
            running.add_done_callback(lambda _: self._running.pop((host, port), None))
        return await asyncio.shield(running)

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class Sender:
    """Sends messages to where the operator's rules allow. Open it on the event loop that uses it."""

    def __init__(self, rules: WebhookSettings, lookup: Lookup = look_up, *, seconds: float = REQUEST_SECONDS) -> None:
        self._rules = rules
        self._lookup = lookup
        self._seconds = seconds
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """Make what connections are made with."""
        connector = aiohttp.TCPConnector(
            limit=0,
            force_close=True,
            use_dns_cache=False,
            resolver=_Resolver(self._rules, self._lookup),
            socket_factory=self._socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            connector_owner=True,
            timeout=aiohttp.ClientTimeout(total=self._seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=("User-Agent",),
        )

    async def close(self) -> None:
        """Break off what is under way."""
        if self._session is not None:
            await self._session.close()

    async def __aenter__(self) -> Self:
        self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Make one attempt. Never raises for anything that the receiver or the network does."""
        started = time.monotonic()
        try:
            check_url(url, self._rules)
            status, text, retry_after = await self._post(url, headers, body)
        except InvalidInput:
            return Answer(status=None, error="blocked_address", duration_ms=_since(started))
        except Exception as error:  # noqa: BLE001 - whatever fails on the way is the outcome of this attempt
            return Answer(status=None, error=_code_of(error), duration_ms=_since(started))
        return Answer(status=status, error=None, duration_ms=_since(started), text=text, retry_after=retry_after)

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str, int | None]:
        assert self._session is not None, "Sender was not opened"  # noqa: S101
        sent = {"user-agent": "Scriba-Webhooks", "accept-encoding": "identity", **headers}
        address = URL(url, encoded=True)
        async with self._session.post(address, data=body, headers=sent, allow_redirects=False) as response:
            start = await _beginning(response)
            asked = response.headers.get("retry-after", "")
            return response.status, _shown(start), parse_retry_after(asked, time.time_ns() // 1000)

    def _socket(self, info: AddrInfoType) -> socket.socket:
        """Make the socket for an address, if it may be connected to; the last and surest of the checks."""
        family, kind, protocol, _, address = info
        if is_forbidden(ip_address(str(address[0])), self._rules.allowed_networks):
            raise BlockedAddress(f"{address[0]} is no public address")
        return socket.socket(family, kind, protocol)


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """Read an answer as far as the limit; what comes after it is not waited for."""
    kept, size = b"", 0
    async for chunk in response.content.iter_any():
        kept = (kept + chunk)[:_KEPT_BYTES]
        size += len(chunk)
        if size >= _READ_BYTES:
            response.close()
            break
    return kept


def _shown(start: bytes) -> str:
    """Return the beginning of an answer as text that any database takes."""
    text = start.decode("utf-8", "replace")
    return "".join(character if character.isprintable() or character in "\n\t" else "\ufffd" for character in text)


def _code_of(error: BaseException) -> str:
    """Return the code of what went wrong; a blocked address may be told inside of another error."""
    if any(isinstance(each, BlockedAddress) for each in _causes(error)):
        return "blocked_address"
    return next((code for kind, code in _ERRORS if isinstance(error, kind)), "failed")


def _causes(error: BaseException) -> list[Any]:
    found: list[Any] = []
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or one in found:
            continue
        found.append(one)
        waiting += [one.__cause__, one.__context__, getattr(one, "os_error", None), *getattr(one, "exceptions", ())]
    return found


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
