"""Addresses as bytes, and networks as ranges of them."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriba.domain.address import address_bytes, parse_network
from scriba.errors import InvalidInput


def inside(address: str, network: str) -> bool:
    """Say whether the ranges of a network hold an address."""
    found = address_bytes(address)
    assert found is not None
    return any(first <= found <= last for first, last in parse_network(network, "ipAddress"))


@st.composite
def networks(draw: st.DrawFn) -> IPv4Network | IPv6Network:
    """Draw a network of either family."""
    address = draw(st.ip_addresses())
    return ip_network((address, draw(st.integers(0, address.max_prefixlen))), strict=False)


@given(st.ip_addresses(), networks())
def test_a_range_is_the_network(address: object, network: IPv4Network | IPv6Network) -> None:
    """Promise: a range of bytes holds exactly the addresses of its network."""
    text = str(address)
    told = ip_address(text)
    told = getattr(told, "ipv4_mapped", None) or told
    if network.version == 6 and network.prefixlen >= 96 and network.network_address.ipv4_mapped is not None:
        return  # IPv4 in other words, below
    assert inside(text, str(network)) == (told in network)


@pytest.mark.parametrize(
    ("address", "network", "is_inside"),
    [
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.0.0.0", "10.0.0.0/8", False),
        ("::ffff:10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "::ffff:10.0.0.0/104", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "::ffff:a01:203", True),
        ("10.1.2.3", "::/0", False),
        ("::1", "::/0", True),
        ("2001:DB8::1", "2001:db8::/32", True),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0", True),
        ("255.255.255.255", "0.0.0.0/0", True),
        ("::1", "0.0.0.0/0", False),
    ],
)
def test_networks(address: str, network: str, *, is_inside: bool) -> None:
    """Promise: an IPv4-mapped address is its IPv4 address, and the families are kept apart otherwise."""
    assert inside(address, network) is is_inside


@pytest.mark.parametrize("text", ["10.0.0", "010.0.0.1", "10.0.0.0/33", "10.0.0.1/8", "host", "10.0.0.0/8/8", "::/129"])
def test_what_is_no_network(text: str) -> None:
    """Promise: what is neither address nor network is refused and named, never guessed at."""
    with pytest.raises(InvalidInput, match="ipAddress") as caught:
        parse_network(text, "ipAddress")
    assert caught.value.param == "ipAddress"


@pytest.mark.parametrize("text", ["", "unknown", "10.0.0.0/8", "10.0.0.1:80"])
def test_what_is_no_address(text: str) -> None:
    """Promise: text that is no address lies in no network."""
    assert address_bytes(text) is None
