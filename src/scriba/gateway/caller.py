"""Who called, in the words of an entry: everything that the record says about the caller and the connection."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from scriba.errors import InvalidInput
from scriba.gateway.headers import RequestHeaders
from scriba.ledger.fit import cut_text
from scriba.ledger.hidden import MAX_VALUE

if TYPE_CHECKING:
    from scriba.gateway.headers import RawHeaders

__all__ = ["Caller", "Networks", "address_of", "client_address", "is_trusted", "policy_slot", "read_caller", "unmapped"]

Networks: TypeAlias = tuple[IPv4Network | IPv6Network, ...]

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_RETRY_COUNT: Final = re.compile(r"[0-9]{1,9}")
_SLOT: Final = re.compile(r"[1-9]|1[0-2]")
_MAPPED: Final = "::ffff:"


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """What a request's headers and its connection say. Data only: none of it decides anything.

    `tags` and `user` are the caller's labels for reports, `retry_count` how often its client says that it
    has tried already.
    """

    address: str
    user_agent: str
    client_request_id: str
    user: str
    tags: tuple[str, ...]
    retry_count: int | None


def read_caller(headers: RequestHeaders, peer: str, proxies: Networks) -> Caller:
    """Read everything about the caller that is recorded.

    :param peer: address of the other end of the connection; empty if it has none
    :param proxies: networks whose X-Forwarded-For is believed
    :raises InvalidInput: naming the header. Lengths and characters are left to the record's own check
    """
    return Caller(
        address=client_address(peer, headers, proxies),
        user_agent=_user_agent(headers.raw(b"user-agent")),
        client_request_id=headers.text(b"x-client-request-id") or headers.text(b"x-request-id"),
        user=headers.text(b"ai-reporting-user"),
        tags=_tags(headers.text(b"ai-reporting-tags")),
        retry_count=_retry_count(headers.text(b"x-stainless-retry-count")),
    )


def policy_slot(headers: RequestHeaders) -> int | None:
    """Return the policy slot that the request names.

    :raises InvalidInput: if it is not 1 to 12
    """
    text = headers.text(b"x-policy-slot")
    if not text:
        return None
    if not _SLOT.fullmatch(text):
        raise InvalidInput("The header X-Policy-Slot must be a number from 1 to 12.", param="X-Policy-Slot")
    return int(text)


def client_address(peer: str, headers: RequestHeaders, proxies: Networks) -> str:
    """Return the caller's address: the peer, or behind trusted proxies the nearest hop that is none of them.

    What stands further left in X-Forwarded-For may be anybody's invention, and so may an entry that is no
    address: the last proxy before it is then the best that is known.
    """
    address = peer
    if not is_trusted(address, proxies):
        return address
    for hop in reversed(headers.text(b"x-forwarded-for").split(",")):
        nearer = _address_of_hop(hop.strip())
        if not nearer:
            break
        address = nearer
        if not is_trusted(address, proxies):
            break
    return address


def address_of(raw: RawHeaders, peer: str, proxies: Networks) -> str:
    """Do the same for a request that may be refused for its headers: what they say does not count then."""
    if not is_trusted(peer, proxies):
        return peer
    try:
        return client_address(peer, RequestHeaders(raw), proxies)
    except InvalidInput:
        return peer


def unmapped(address: str) -> str:
    """Return an IPv4 address as such that a socket for both families shows as an IPv6 address."""
    return address.removeprefix(_MAPPED) if "." in address else address


@lru_cache(maxsize=1024)
def is_trusted(address: str, proxies: Networks) -> bool:
    """Whether an address is one of the proxies'."""
    if not proxies or not address:
        return False
    parsed = ip_address(address)
    return any(parsed in network for network in proxies)


def _address_of_hop(hop: str) -> str:
    """Return the address of one entry, which some proxies write with a port; empty if it is no address."""
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        parsed = ip_address(hop)
    except ValueError:
        return ""
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def _user_agent(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return cut_text(_CONTROL.sub(" ", text), MAX_VALUE)


def _tags(text: str) -> tuple[str, ...]:
    """Split at commas. An empty tag is none, as everywhere in a record."""
    return tuple(dict.fromkeys(tag for part in text.split(",") if (tag := part.strip())))


def _retry_count(text: str) -> int | None:
    if not text:
        return None
    if not _RETRY_COUNT.fullmatch(text):
        raise InvalidInput("The header x-stainless-retry-count must be a number.", param="x-stainless-retry-count")
    return int(text)
