"""What an entry says about the caller is what the caller and its connection said, and no more."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from scriba.errors import InvalidInput
from scriba.gateway.caller import client_address, policy_slot, read_caller, unmapped
from scriba.gateway.headers import RequestHeaders

PROXIES = (ip_network("10.0.0.0/8"), ip_network("::1/128"))


def _headers(**headers: bytes) -> RequestHeaders:
    return RequestHeaders([(name.replace("_", "-").encode(), value) for name, value in headers.items()])


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", b"", "203.0.113.9"),
        ("203.0.113.9", b"198.51.100.1", "203.0.113.9"),  # not a trusted proxy: whatever it says
        ("2001:db8::1", b"", "2001:db8::1"),
        ("10.0.0.1", b"", "10.0.0.1"),
        ("10.0.0.1", b"198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", b"1.1.1.1, 198.51.100.1", "198.51.100.1"),  # what stands left of it is anybody's invention
        ("10.0.0.1", b"1.1.1.1, 198.51.100.1, 10.2.3.4", "198.51.100.1"),
        ("10.0.0.1", b"10.1.1.1, 10.2.3.4", "10.1.1.1"),
        ("10.0.0.1", b"198.51.100.1:443", "198.51.100.1"),
        ("10.0.0.1", b"[2001:DB8::1]:443", "2001:db8::1"),
        ("10.0.0.1", b"2001:db8:0::1", "2001:db8::1"),
        ("10.0.0.1", b"unknown, 10.2.3.4", "10.2.3.4"),
        ("10.0.0.1", b"198.51.100.1, ", "10.0.0.1"),
        ("::1", b"198.51.100.1", "198.51.100.1"),
        ("", b"198.51.100.1", ""),
    ],
)
def test_the_address_is_the_nearest_hop_that_is_no_proxy(peer: str, forwarded: bytes, expected: str) -> None:
    """Nobody can put another address into the log than the one that a trusted proxy saw."""
    assert client_address(peer, _headers(x_forwarded_for=forwarded), PROXIES) == expected


@pytest.mark.parametrize(
    ("shown", "meant"),
    [("::ffff:203.0.113.9", "203.0.113.9"), ("203.0.113.9", "203.0.113.9"), ("::ffff:1", "::ffff:1"), ("", "")],
)
def test_a_socket_for_both_families_changes_no_address(shown: str, meant: str) -> None:
    """An IPv4 caller has one address in the log, whatever the server listens on."""
    assert unmapped(shown) == meant


def test_without_trusted_proxies_the_connection_counts() -> None:
    """By default X-Forwarded-For is not looked at."""
    assert client_address("127.0.0.1", _headers(x_forwarded_for=b"198.51.100.1"), ()) == "127.0.0.1"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"OpenAI/Python 3.57.0", "OpenAI/Python 3.57.0"),
        ("Größe".encode(), "Größe"),
        ("Größe".encode("latin-1"), "Größe"),
        (b"a\tb\x01c\x7f", "a b c "),
        (b"x" * 2000, "x" * 1024),
        ("é".encode() * 600, "é" * 512),
    ],
)
def test_a_user_agent_is_always_recordable(raw: bytes, expected: str) -> None:
    """It is the one value that is repaired and cut, so that no client is refused for its name."""
    assert read_caller(_headers(user_agent=raw), "", ()).user_agent == expected


def test_the_callers_own_request_id_is_data() -> None:
    """X-Client-Request-Id goes before X-Request-Id."""
    both = _headers(x_client_request_id=b"mine", x_request_id=b"proxy's")
    assert read_caller(both, "", ()).client_request_id == "mine"
    assert read_caller(_headers(x_request_id=b"proxy's"), "", ()).client_request_id == "proxy's"


def test_tags_are_split_at_commas() -> None:
    """Spaces around a tag, empty tags and repetitions mean nothing."""
    caller = read_caller(_headers(ai_reporting_tags=b" team-a, ,job,team-a,"), "", ())
    assert caller.tags == ("team-a", "job")


def test_retry_count_is_recorded_as_told() -> None:
    """A first try of a client that counts is not the same as a client that does not."""
    assert read_caller(_headers(x_stainless_retry_count=b"0"), "", ()).retry_count == 0
    assert read_caller(_headers(), "", ()).retry_count is None
    with pytest.raises(InvalidInput, match="x-stainless-retry-count"):
        read_caller(_headers(x_stainless_retry_count=b"-1"), "", ())


@pytest.mark.parametrize(("text", "slot"), [(b"", None), (b"1", 1), (b"12", 12)])
def test_slots_are_read(text: bytes, slot: int | None) -> None:
    """A request may name one of twelve slots."""
    assert policy_slot(_headers(x_policy_slot=text)) == slot


@pytest.mark.parametrize("text", [b"0", b"13", b"1.0", b"01", b"+1", b"one", "\uff11".encode(), b"1,2"])
def test_other_slots_are_refused(text: bytes) -> None:
    """A slot that is none is never read as no slot, which could be a milder policy."""
    with pytest.raises(InvalidInput, match="a number from 1 to 12") as caught:
        policy_slot(_headers(x_policy_slot=text))
    assert caught.value.param == "X-Policy-Slot"
