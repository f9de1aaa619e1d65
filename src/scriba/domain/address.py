"""Addresses as bytes that can be compared, so that a network is a range of them.

Every address takes 16 bytes in network order. An IPv4 address is the IPv4-mapped address of IPv6 (RFC 4291, section
2.5.5.2), and the two are the same.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple, TypeAlias

from scriba.errors import InvalidInput

__all__ = ["AddressRange", "address_bytes", "parse_network"]

_MAPPED: Final = b"\x00" * 10 + b"\xff" * 2
_BEFORE_IPV4: Final = (int.from_bytes(_MAPPED) << 32) - 1
_AFTER_IPV4: Final = (int.from_bytes(_MAPPED) + 1) << 32
_BYTES: Final = 16
_EXAMPLES: Final = "an address like 203.0.113.42 or a network like 203.0.113.0/24 or 2001:db8::/32"
_Network: TypeAlias = IPv4Network | IPv6Network


class AddressRange(NamedTuple):
    """Addresses from `first` to `last`, both included."""

    first: bytes
    last: bytes


@lru_cache(maxsize=4096)  # most entries come from few callers
def address_bytes(text: str) -> bytes | None:
    """Return the bytes of an address; None if the text is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return _MAPPED + address.packed if isinstance(address, IPv4Address) else address.packed


def parse_network(text: str, param: str) -> tuple[AddressRange, ...]:
    """Read an address or a network in CIDR notation (RFC 4632, RFC 4291) as the ranges that it consists of.

    `::/0` means all of IPv6 and `0.0.0.0/0` all of IPv4: a network of IPv6 holds an IPv4 address only if it lies
    within the IPv4-mapped ones.

    :raises InvalidInput: naming `param`, if it is neither, or an address inside a network is given for the network
    """
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise InvalidInput(f"{param} must be {_EXAMPLES}, and {text!r} is not.", param=param) from None
    if "/" in text and ip_address(text.partition("/")[0]) != network.network_address:
        hint = f"The network is {network}."
        raise InvalidInput(f"{param} {text} is an address inside a network, with its mask.", param=param, hint=hint)
    return _ranges(network)


def _ranges(network: _Network) -> tuple[AddressRange, ...]:
    if network.version == 4:
        first, last = (_MAPPED + address.packed for address in (network.network_address, network.broadcast_address))
        return (AddressRange(first, last),)
    first_number, last_number = int(network.network_address), int(network.broadcast_address)
    if first_number <= _BEFORE_IPV4 and last_number >= _AFTER_IPV4:
        return _range(first_number, _BEFORE_IPV4), _range(_AFTER_IPV4, last_number)
    return (_range(first_number, last_number),)


def _range(first: int, last: int) -> AddressRange:
    return AddressRange(first.to_bytes(_BYTES), last.to_bytes(_BYTES))
