"""One attempt over HTTP: what is connected to, and what is made of the answer. Only the loopback is ever reached."""

from __future__ import annotations

import asyncio
import socket
import time
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from tests.receiver import broken, endless, receiving, redirecting, status, stuck

from scriba.delivery.sender import BlockedAddress, Sender
from scriba.delivery.signature import signed_headers
from scriba.settings import WebhookSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.receiver import Receiver

    from scriba.delivery.attempt import Answer
    from scriba.delivery.destination import AddressInfo, Lookup

BODY = b'{"id":"evt_1"}'
OPEN = WebhookSettings(allowed_networks=(ip_network("127.0.0.0/8"),), allow_http=True, allowed_ports=())
CLOSED = WebhookSettings(allow_http=True, allowed_ports=())


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Run a receiver."""
    with receiving() as one:
        yield one


def leading_to(*addresses: str) -> Lookup:
    """Find these addresses for any name: the next one each time it is asked, then the last one for ever."""
    waiting = list(addresses)

    def lookup(_host: str, port: int) -> Sequence[AddressInfo]:
        address = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    return lookup


def send(url: str, rules: WebhookSettings = OPEN, lookup: Lookup | None = None, seconds: float = 5) -> Answer:
    """Make one attempt."""

    async def attempt() -> Answer:
        async with Sender(rules, lookup or leading_to("127.0.0.1"), seconds=seconds) as sender:
            return await sender.send(url, signed_headers(["whsec_xxx"], "evt_1", int(time.time()), BODY), BODY)

    return asyncio.run(attempt())


def named(url: str) -> str:
    """Name the receiver instead of giving its address."""
    return url.replace("127.0.0.1", "hooks.example.com")


def test_what_was_signed_is_what_arrives(receiver: Receiver) -> None:
    """Promise: the very bytes, under the name of the host, signed under both sets of headers."""
    answer = send(named(receiver.url))
    assert (answer.status, answer.error, answer.text) == (200, None, "thanks")
    (got,) = receiver.processed
    assert got.body == BODY
    assert got.headers["host"].startswith("hooks.example.com:")
    assert "cookie" not in got.headers


def test_a_name_that_leads_inside_is_not_connected_to(receiver: Receiver) -> None:
    """Promise: what a name leads to is judged at each attempt; nothing reaches the receiver."""
    assert send(named(receiver.url), CLOSED).error == "blocked_address"
    assert receiver.came == []


def test_a_name_that_leads_elsewhere_the_second_time_is_not_followed(receiver: Receiver) -> None:
    """Promise: rebinding a name wins nothing, for each attempt looks anew and keeps no connection."""
    lookup = leading_to("127.0.0.1", "10.0.0.1")
    rules = OPEN

    async def attempts() -> list[Answer]:
        async with Sender(rules, lookup, seconds=5) as sender:
            headers = {"webhook-id": "evt_1"}
            return [await sender.send(named(receiver.url), headers, BODY) for _ in range(2)]

    first, second = asyncio.run(attempts())
    assert first.status == 400  # not signed, but it came
    assert second.error == "blocked_address"
    assert len(receiver.came) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "localhost", "0x7f.1"])
def test_no_spelling_of_the_loopback_is_connected_to(receiver: Receiver, host: str) -> None:
    """Promise: an address in the URL itself is judged like any other."""
    assert send(receiver.url.replace("127.0.0.1", host), CLOSED).error == "blocked_address"
    assert receiver.came == []


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "127.0.0.1", "192.168.1.1", "0.0.0.0"])
def test_the_socket_itself_is_refused(address: str) -> None:
    """Promise: even if all other checks were passed by, no socket is made for a forbidden address."""
    with pytest.raises(BlockedAddress):
        Sender(CLOSED)._socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)))
    mapped = (f"::ffff:{address}", 443, 0, 0)
    with pytest.raises(BlockedAddress):
        Sender(CLOSED)._socket((socket.AF_INET6, socket.SOCK_STREAM, 6, "", mapped))


def test_a_proxy_of_the_environment_is_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: nothing in the environment sends webhooks another way."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert send(receiver.url).status == 200


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    """Promise: an answer leads nowhere."""
    receiver.modes["/hook"] = redirecting("http://10.0.0.1/")
    assert send(receiver.url).status == 301
    assert len(receiver.came) == 1


def test_an_answer_without_end_is_read_no_further_than_the_limit(receiver: Receiver) -> None:
    """Promise: a receiver can fill neither memory nor time; the beginning is kept."""
    receiver.modes["/hook"] = endless()
    answer = send(receiver.url)
    assert answer.status == 200
    assert answer.text == "x" * 1024


def test_what_goes_wrong_has_a_code(receiver: Receiver) -> None:
    """Promise: silence, a broken connection, a closed port and an unknown name are told apart."""

    def unknown(_host: str, _port: int) -> Sequence[AddressInfo]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    receiver.modes["/hook"] = stuck()
    assert send(receiver.url, seconds=0.5).error == "timeout"
    receiver.modes["/hook"] = broken()
    assert send(receiver.url).error == "connection_broken"
    assert send("http://127.0.0.1:1/").error == "connection_failed"
    assert send("http://hooks.example.com/", lookup=unknown).error == "host_not_found"
    assert send(receiver.url.replace("http:", "https:")).error == "tls_failed"


def test_busy_answers_say_for_how_long(receiver: Receiver) -> None:
    """Promise: Retry-After is read."""
    receiver.modes["/hook"] = status(503, {"retry-after": "7"})
    assert send(receiver.url).retry_after == 7_000_000
