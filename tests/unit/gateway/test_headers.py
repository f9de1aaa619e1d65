"""Each side of the gateway gets the headers that are meant for it."""

from __future__ import annotations

import pytest

from scriba.errors import InvalidInput
from scriba.gateway.headers import RequestHeaders, for_client, for_provider


def test_a_provider_gets_no_key_and_nothing_about_the_caller() -> None:
    """Neither the caller's key nor its reporting, address or connection goes on; what the API knows does."""
    sent = [
        (b"host", b"scriba"),
        (b"authorization", b"Bearer sk_scriba_x"),
        (b"x-api-key", b"sk_scriba_x"),
        (b"api-key", b"k"),
        (b"cookie", b"session=1"),
        (b"ai-reporting-tags", b"a,b"),
        (b"ai-reporting-user", b"u"),
        (b"ai-reporting-anything", b"x"),
        (b"x-policy-slot", b"3"),
        (b"x-forwarded-for", b"10.0.0.1"),
        (b"forwarded", b"for=10.0.0.1"),
        (b"connection", b"keep-alive, X-Mine"),
        (b"x-mine", b"1"),
        (b"keep-alive", b"timeout=5"),
        (b"te", b"trailers"),
        (b"transfer-encoding", b"chunked"),
        (b"upgrade", b"h2c"),
        (b"content-length", b"5"),
        (b"content-type", b"application/json"),
        (b"accept-encoding", b"gzip"),
        (b"expect", b"100-continue"),
        (b"accept", b"application/json"),
        (b"openai-organization", b"org-1"),
        (b"x-stainless-lang", b"python"),
        (b"x-title", "Büro".encode()),
        (b"x-odd", b"\xff"),
    ]
    assert for_provider(sent) == [
        ("accept", "application/json"),
        ("openai-organization", "org-1"),
        ("x-stainless-lang", "python"),
        ("x-title", "Büro"),
    ]


def test_no_header_steers_a_gateway_beyond() -> None:
    """Promise: where another gateway serves as the provider, the caller cannot tell it of another model or address."""
    steering = ("x-portkey-config", "helicone-target-url", "cf-aig-step", "x-litellm-model", "azureml-model-deployment")
    assert for_provider([(name.encode(), b"elsewhere") for name in steering]) == []
    assert for_provider([(b"openai-beta", b"assistants=v2")]) == [("openai-beta", "assistants=v2")]


def test_a_caller_gets_the_answer_and_nothing_about_the_providers_host() -> None:
    """The answer's own headers pass, those of the provider's host and connection do not, and nobody signs for us."""
    received = [
        (b"Date", b"today"),
        (b"Server", b"cloudflare"),
        (b"Set-Cookie", b"__cf_bm=1"),
        (b"Strict-Transport-Security", b"max-age=1"),
        (b"Alt-Svc", b"h3"),
        (b"Connection", b"keep-alive, X-Hop"),
        (b"X-Hop", b"1"),
        (b"Transfer-Encoding", b"chunked"),
        (b"X-Audit-Id", b"audit_forged"),
        (b"X-Audit-Receipt", b"1;forged"),
        (b"X-Policy-Id", b"gpol_forged"),
        (b"x-request-id", b"req_upstream"),
        (b"Content-Type", b"application/json"),
        (b"Content-Length", b"7"),
        (b"Retry-After", b"3"),
        (b"x-ratelimit-remaining-requests", b"9"),
    ]
    assert for_client(received) == [
        (b"x-upstream-request-id", b"req_upstream"),
        (b"content-type", b"application/json"),
        (b"content-length", b"7"),
        (b"retry-after", b"3"),
        (b"x-ratelimit-remaining-requests", b"9"),
    ]


def test_a_header_that_counts_once_must_come_once() -> None:
    """Two keys, slots or users would mean one thing here and another elsewhere."""
    with pytest.raises(InvalidInput, match="more than once") as caught:
        RequestHeaders([(b"x-policy-slot", b"1"), (b"x-policy-slot", b"2")])
    assert caught.value.param == "x-policy-slot"


def test_lists_may_come_in_several_headers() -> None:
    """HTTP lets a list be split over headers of one name."""
    headers = RequestHeaders([(b"ai-reporting-tags", b"a"), (b"accept", b"x"), (b"ai-reporting-tags", b"b")])
    assert headers.text(b"ai-reporting-tags") == "a,b"


def test_text_that_is_not_utf8_is_refused_by_name() -> None:
    """Nothing that goes into the log is repaired."""
    headers = RequestHeaders([(b"ai-reporting-user", b"\xff")])
    with pytest.raises(InvalidInput, match="ai-reporting-user is not UTF-8"):
        headers.text(b"ai-reporting-user")


def test_a_key_of_ours_goes_to_no_provider_in_any_header() -> None:
    """Wherever a caller has put it: a header that holds one stays here."""
    given = [(b"x-my-auth", b"Token sk_scriba_abc"), (b"openai-organization", b"org-1"), (b"x-sk", b"sk-scriba")]
    assert for_provider(given) == [("openai-organization", "org-1"), ("x-sk", "sk-scriba")]
