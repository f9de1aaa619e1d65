"""Where a webhook may go: the rules about its URL, and about what the URL's host leads to."""

from __future__ import annotations

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as LookupTimeout
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit

from scriba.delivery.address import is_forbidden
from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from urllib.parse import SplitResult

    from scriba.delivery.address import Address
    from scriba.settings import WebhookSettings

__all__ = [
    "MAX_URL",
    "AddressInfo",
    "Lookup",
    "check_host",
    "check_url",
    "forbidden_among",
    "literal_address",
    "look_up",
]

MAX_URL: Final = 2048
"""Characters of a URL."""

LOOKUP_SECONDS: Final = 3.0
"""How long the host is looked for when an endpoint is made; one that is not found in time is judged at delivery."""

_SocketAddress: TypeAlias = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
AddressInfo: TypeAlias = tuple[socket.AddressFamily, socket.SocketKind, int, str, _SocketAddress]
"""One answer of `getaddrinfo`."""

Lookup: TypeAlias = "Callable[[str, int], Sequence[AddressInfo]]"
"""Finds the addresses of a host; raises `OSError` if there are none."""

_PORTS: Final = {"https": 443, "http": 80}
_LABEL: Final = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(\.{_LABEL})+", re.IGNORECASE | re.ASCII)
_LOCAL: Final = ("localhost", "local", "internal", "localdomain", "home.arpa")
_NUMBER: Final = re.compile(r"(0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)
"""The last label of what C libraries take for an address of IPv4: decimal, octal or hexadecimal."""


def look_up(host: str, port: int) -> Sequence[AddressInfo]:
    """Ask the system for the addresses of a host."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def check_url(text: str, rules: WebhookSettings) -> SplitResult:
    """Return the parts of a URL that webhooks may go to, as far as its text tells.

    :raises InvalidInput: saying what is allowed
    """
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text or len(text) > MAX_URL:
        raise _refused(f"must be a URL of at most {MAX_URL} ASCII characters, without spaces and backslashes")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _refused("is not a URL") from None
    schemes = ("https", "http") if rules.allow_http else ("https",)
    if parts.scheme not in schemes:
        raise _refused(f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    if "@" in parts.netloc:
        raise _refused("must not hold a user name or a password")
    if parts.fragment:
        raise _refused("must not have a fragment (#)")
    port = _PORTS[parts.scheme] if port is None else port
    if port == 0:
        raise _refused("must not have port 0, which is none")
    if rules.allowed_ports and port not in rules.allowed_ports:
        raise _refused(f"has port {port}; allowed are {', '.join(map(str, rules.allowed_ports))}")
    _check_name(host, parts.netloc, rules)
    return parts


def check_host(parts: SplitResult, rules: WebhookSettings, lookup: Lookup = look_up) -> None:
    """Refuse a host that leads to a forbidden address; one that cannot be found yet is let pass.

    :raises InvalidInput: without the address, which may be known to the operator's name servers alone
    """
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    pool = ThreadPoolExecutor(1, thread_name_prefix="scriba-lookup")
    try:
        found = pool.submit(lookup, host, port).result(LOOKUP_SECONDS)
    except (OSError, UnicodeError, LookupTimeout):
        return
    finally:
        pool.shutdown(wait=False)
    if forbidden_among(found, rules) is not None:
        raise _refused(f"names {host}, which leads to an address that is not public")


def forbidden_among(found: Iterable[AddressInfo], rules: WebhookSettings) -> Address | None:
    """Return the first forbidden one of the addresses of a host: a single one is enough to refuse the host."""
    addresses = (ip_address(str(info[4][0])) for info in found)
    return next((address for address in addresses if is_forbidden(address, rules.allowed_networks)), None)


def literal_address(host: str) -> Address | None:
    """Return the address that a host is written as; None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _check_name(host: str, netloc: str, rules: WebhookSettings) -> None:
    address = literal_address(host)
    if address is not None:
        if "%" in host:
            raise _refused("must not name a zone")
        if is_forbidden(address, rules.allowed_networks):
            raise _refused(f"leads to {address}, which is no public address")
        return
    name = host.removesuffix(".").lower()
    if "[" in netloc or not _NAME.fullmatch(name) or len(name) > 253 or _NUMBER.fullmatch(name.rpartition(".")[2]):
        raise _refused("must name a host in full, like hooks.example.com")
    if any(name == local or name.endswith(f".{local}") for local in _LOCAL):
        raise _refused(f"names {host}, which is not public")


def _refused(why: str) -> InvalidInput:
    return InvalidInput(f"url {why}.", param="url")
