"""Where a visitor is, and what the session cookie may do there."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from starlette.requests import Request
from starlette.responses import Response

from scriba.console.visitor import open_session, reached_at

PROXIES = (ip_network("127.0.0.0/8"),)


def a_request(peer: str = "127.0.0.1", **headers: str) -> Request:
    """Make a request that came over plain HTTP from a peer."""
    raw = [
        (name.replace("_", "-").encode(), value.encode()) for name, value in {"host": "inside:2728", **headers}.items()
    ]
    return Request({"type": "http", "scheme": "http", "path": "/", "client": (peer, 5000), "headers": raw})


@pytest.mark.parametrize(
    ("request_", "address"),
    [
        (a_request(), "http://inside:2728"),
        (a_request(x_forwarded_proto="https", x_forwarded_host="scriba.example.com"), "https://scriba.example.com"),
        (a_request(x_forwarded_proto="HTTPS"), "https://inside:2728"),
        (a_request(x_forwarded_proto="gopher"), "http://inside:2728"),
        (a_request("192.0.2.7", x_forwarded_proto="https", x_forwarded_host="evil.example"), "http://inside:2728"),
    ],
)
def test_only_a_trusted_proxy_says_what_the_visitor_sees(request_: Request, address: str) -> None:
    """Scheme and host come from the connection, and from headers where a trusted proxy sets them."""
    assert reached_at(request_, PROXIES) == address


def test_without_trusted_proxies_nobody_is_believed() -> None:
    """By default the headers of a proxy mean nothing."""
    assert reached_at(a_request(x_forwarded_proto="https"), ()) == "http://inside:2728"


@pytest.mark.parametrize("secure", [True, False])
def test_a_session_opened_over_tls_never_leaves_it(secure: bool) -> None:  # noqa: FBT001 - the parameter of this test
    """The cookie is bound to TLS exactly where the page came over TLS."""
    response = Response()
    open_session(response, "value", secure=secure)
    assert ("Secure" in response.headers["set-cookie"].split("; ")) is secure
