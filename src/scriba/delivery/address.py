"""Addresses that nothing is sent to: those that mean this machine, its network, or nobody.

A name proves nothing about where it leads, so what is judged is the very address that is connected to. The ranges are
those of the registries of special-purpose addresses (https://www.iana.org/assignments/iana-ipv4-special-registry,
…/iana-ipv6-special-registry) and multicast. An address of IPv6 that carries one of IPv4 is judged as both.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Address", "Network", "is_forbidden"]

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_FORBIDDEN_V4: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
_GLOBAL_V6: Final = IPv6Network("2000::/3")
"""Where all unicast addresses are that can be reached from everywhere (RFC 4291, section 2.5.4); the rest is forbidden
as a whole: `::`, `::1`, `fc00::/7`, `fe80::/10`, `fec0::/10`, `ff00::/8`."""

_FORBIDDEN_V6: Final = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20")))
_NAT64: Final = IPv6Network("64:ff9b::/96")
_METADATA: Final = frozenset(map(ip_address, ("169.254.169.254", "fd00:ec2::254")))
"""Where clouds give credentials to whoever asks from within a machine."""


def is_forbidden(address: Address, allowed: Sequence[Network] = ()) -> bool:
    """Whether nothing may be sent to an address.

    :param allowed: networks that the operator allows although they are special; never the addresses of credentials
    """
    forms = tuple(_forms(address))
    if any(form in _METADATA for form in forms):
        return True
    return any(_is_special(form) and not any(form in network for network in allowed) for form in forms)


def _forms(address: Address) -> Iterator[Address]:
    """Yield an address, without its zone, and the one of IPv4 that it leads to, if there is one."""
    if isinstance(address, IPv4Address):
        yield address
        return
    bare = IPv6Address(int(address))
    if bare.ipv4_mapped is not None:
        yield bare.ipv4_mapped  # another way to write it, and no address of its own
        return
    yield bare
    if bare.sixtofour is not None:
        yield bare.sixtofour
    elif bare.teredo is not None:
        yield from bare.teredo
    elif bare in _NAT64:
        yield IPv4Address(int(bare) & 0xFFFFFFFF)


def _is_special(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return any(address in network for network in _FORBIDDEN_V4)
    if address in _NAT64:
        return False  # as the address that it carries
    return address not in _GLOBAL_V6 or any(address in network for network in _FORBIDDEN_V6)
