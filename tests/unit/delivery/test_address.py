"""Addresses that nothing is sent to, as a function on addresses: nothing is connected to here."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis.strategies import integers, ip_addresses, sampled_from

from scriba.delivery.address import is_forbidden

SPECIAL = [
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
]
SPECIAL_V6 = [
    "::/128",
    "::1/128",
    "fe80::/10",
    "fec0::/10",
    "fc00::/7",
    "2001:db8::/32",
    "ff00::/8",
    "64:ff9b:1::/48",
    "100::/64",
]
EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))


def carriers(address: IPv4Address) -> list[IPv6Address]:
    """Return every address of IPv6 that leads to one of IPv4."""
    number = int(address)
    return [
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(int(IPv6Address("64:ff9b::")) | number),
        IPv6Address(0x2002 << 112 | number << 80),
        IPv6Address(0x20010000 << 96 | number << 64 | 0x00000000F7F7F7F7),  # a Teredo server
        IPv6Address(0x20010000 << 96 | 0x08080808 << 64 | (number ^ 0xFFFFFFFF)),  # a Teredo client
    ]


@pytest.mark.parametrize("network", SPECIAL + SPECIAL_V6)
def test_the_first_and_the_last_address_of_each_range_are_forbidden(network: str) -> None:
    """Promise: nothing is sent to a special address, to the very edges of its range."""
    assert is_forbidden(ip_network(network)[0])
    assert is_forbidden(ip_network(network)[-1])


@pytest.mark.parametrize(
    "address", ["9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "100.128.0.0", "8.8.8.8", "2606:4700::1"]
)
def test_what_lies_beside_a_range_is_allowed(address: str) -> None:
    """Promise: public addresses can be sent to."""
    assert not is_forbidden(ip_address(address))


@given(network=sampled_from([ip_network(text) for text in SPECIAL]), place=integers(0, 2**32 - 1))
def test_no_form_of_a_special_address_is_allowed(network: object, place: int) -> None:
    """Promise: an address of IPv4 is judged the same in each form that IPv6 has for it."""
    address = network[place % network.num_addresses]  # type: ignore[index,attr-defined]
    assert is_forbidden(address)
    assert all(is_forbidden(carrier) for carrier in carriers(address))


@given(ip_addresses(v=4))
def test_the_common_forms_agree(address: IPv4Address) -> None:
    """Promise: the mapped form and the one through NAT64 are judged as the address itself."""
    mapped, translated, *_ = carriers(address)
    assert is_forbidden(mapped) == is_forbidden(translated) == is_forbidden(address)


@given(ip_addresses())
def test_only_global_addresses_are_allowed(address: IPv4Address | IPv6Address) -> None:
    """Promise: whatever is allowed is global by the registries, as Python's own tables have them."""
    if not is_forbidden(address):
        assert address.is_global or address in ip_network("64:ff9b::/96") or address in ip_network("2002::/16")
        assert not address.is_multicast


def test_allowed_networks_open_what_they_name_and_nothing_else() -> None:
    """Promise: an operator can allow a private network."""
    allowed = (ip_network("10.20.0.0/16"), ip_network("fd00:1::/32"))
    assert not is_forbidden(ip_address("10.20.1.2"), allowed)
    assert not is_forbidden(ip_address("::ffff:10.20.1.2"), allowed)
    assert not is_forbidden(ip_address("fd00:1::5"), allowed)
    assert is_forbidden(ip_address("10.21.0.1"), allowed)
    assert is_forbidden(ip_address("fd00:2::5"), allowed)


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254"])
def test_credentials_of_clouds_stay_out_of_reach(address: str) -> None:
    """Promise: no setting lets a webhook reach the addresses that give out a machine's credentials."""
    parsed = ip_address(address)
    forms = [parsed, *(carriers(parsed) if isinstance(parsed, IPv4Address) else ())]
    assert all(is_forbidden(form, EVERYTHING) for form in forms)


def test_a_zone_changes_nothing() -> None:
    """Promise: an address is not made another one by naming an interface."""
    assert is_forbidden(ip_address("fe80::1%eth0"))
    assert is_forbidden(ip_address("fd00:ec2::254%eth0"), EVERYTHING)
