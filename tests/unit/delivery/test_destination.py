"""URLs that webhooks may go to. Nothing is looked up and nothing is connected to here."""

from __future__ import annotations

import socket
from ipaddress import ip_network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from scriba.delivery.destination import check_host, check_url
from scriba.errors import InvalidInput
from scriba.settings import WebhookSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scriba.delivery.destination import AddressInfo, Lookup

RULES = WebhookSettings()
LOCAL = WebhookSettings(allowed_networks=(ip_network("127.0.0.0/8"),), allow_http=True, allowed_ports=())


def finding(*addresses: str) -> Lookup:
    """Find these addresses, whatever is asked."""

    def lookup(_host: str, port: int) -> Sequence[AddressInfo]:
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return lookup


@pytest.mark.parametrize(
    "url",
    [
        "https://your-siem.example.com/webhooks/case",
        "https://hooks.example.com:8443/a?b=c",
        "https://93.184.215.14/",
        "https://[2606:4700::1]/hook",
        "https://xn--bcher-kva.example/",
        "https://hooks.example.com./",
    ],
)
def test_a_public_https_url_is_taken(url: str) -> None:
    """Promise: an ordinary endpoint needs no setting."""
    check_url(url, RULES)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "hooks.example.com",
        "https://",
        "https:///path",
        "https://user@hooks.example.com/",
        "https://user:pass@hooks.example.com/",
        "https://@hooks.example.com/",
        "https://hooks.example.com\\@127.0.0.1/",
        "https://hooks.example.com/#part",
        "https://hooks.example.com:22/",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:x/",
        "https://hooks example.com/",
        "https://hooks.example.com/ü",
        "https://localhost/",
        "https://LOCALHOST./",
        "https://a.localhost/",
        "https://printer.local/",
        "https://metadata.google.internal/",
        "https://intranet/",
        "https://127.0.0.1/",
        "https://10.0.0.5/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://127.1/",
        "https://0177.0.0.1/",
        "https://1.2.3.0x4/",
        "https://127.0.0.1./",
        "https://[hooks.example.com]/",
        "https://hooks..example.com/",
        "https://%31%32%37.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        f"https://hooks.example.com/{'x' * 2048}",
    ],
)
def test_another_url_is_refused_by_name(url: str) -> None:
    """Promise: no spelling of a URL leads a webhook inside."""
    with pytest.raises(InvalidInput) as caught:
        check_url(url, RULES)
    assert caught.value.param == "url"


def test_settings_open_what_they_say() -> None:
    """Promise: an operator can allow plain HTTP, other ports and private networks."""
    check_url("http://127.0.0.1:8080/hook", LOCAL)
    with pytest.raises(InvalidInput, match=r"10\.0\.0\.1"):
        check_url("http://10.0.0.1:8080/hook", LOCAL)
    with pytest.raises(InvalidInput, match="port 0"):
        check_url("http://127.0.0.1:0/hook", LOCAL)


def test_a_host_is_refused_for_a_single_forbidden_address() -> None:
    """Promise: a name is good only if all of its addresses are, and the answer tells nobody what a name leads to."""
    parts = urlsplit("https://hooks.example.com/")
    check_host(parts, RULES, finding("93.184.215.14"))
    with pytest.raises(InvalidInput, match="address that is not public") as caught:
        check_host(parts, RULES, finding("93.184.215.14", "10.0.0.1"))
    assert "10.0.0.1" not in str(caught.value)


def test_a_host_that_is_not_found_yet_is_taken() -> None:
    """Promise: an endpoint can be made before its name is there."""
    check_host(urlsplit("https://hooks.example.com/"), RULES, finding())
