"""Headers of a request: which of them Scriba reads, and which of them a provider gets.

Names are lower case, as an ASGI server gives them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scriba.domain.api_key import KEY_PREFIX
from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["RawHeaders", "RequestHeaders", "for_client", "for_provider"]

RawHeaders = list[tuple[bytes, bytes]]

_HOP_BY_HOP: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te"}
    | {b"trailer", b"transfer-encoding", b"upgrade", b"http2-settings"}
)
"""Headers of one connection (RFC 9110, section 7.6.1)."""

_CREDENTIALS: Final = frozenset({b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key", b"cookie"})
"""Where callers put keys: none of theirs is for a provider."""

_OUR_KEY: Final = KEY_PREFIX.encode()

_READ: Final = frozenset(
    {b"authorization", b"x-api-key", b"content-length", b"content-type", b"content-encoding", b"user-agent"}
    | {b"x-client-request-id", b"x-request-id", b"x-policy-slot", b"x-stainless-retry-count"}
    | {b"ai-reporting-tags", b"ai-reporting-user", b"x-forwarded-for"}
)
_LISTS: Final = frozenset({b"ai-reporting-tags", b"x-forwarded-for"})
"""Headers that may be sent several times and then are one list."""

_KEPT_HERE: Final = (
    _HOP_BY_HOP
    | _CREDENTIALS
    | {b"host", b"content-length", b"content-type", b"content-encoding", b"accept-encoding", b"expect"}
    | {
        b"x-policy-slot",
        b"forwarded",
        b"via",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-real-ip",
    }
)
"""What a provider does not get: see above, what is Scriba's, what the connection to the provider has of its own,
and where the caller sits."""

_STEERING: Final = (
    b"ai-reporting-",
    b"azureml-model-deployment",
    b"cf-aig-",
    b"helicone-",
    b"x-litellm-",
    b"x-portkey-",
)
"""How headers begin that tell another gateway where to send a request: it would go past what was decided here."""

_ABOUT_PROVIDER: Final = (
    _HOP_BY_HOP
    | {b"alt-svc", b"date", b"server", b"set-cookie", b"strict-transport-security", b"via"}
    | {b"x-audit-id", b"x-audit-receipt", b"x-audit-unlogged", b"x-policy-id", b"x-policy-violations"}
    | {b"x-request-id", b"request-id", b"x-upstream-request-id"}
)
"""What a caller does not get from a provider: what is about the provider's host or connection, and the names that
Scriba answers for. The provider's request id goes on under another name."""


class RequestHeaders:
    """The headers that Scriba reads."""

    __slots__ = ("_values",)

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        values: dict[bytes, bytes] = {}
        for name, value in raw:
            if name in _READ:
                if name in values and name not in _LISTS:
                    raise InvalidInput(f"The header {name.decode()} was sent more than once.", param=name.decode())
                values[name] = b"%b,%b" % (values[name], value) if name in values else value
        self._values = values

    def raw(self, name: bytes) -> bytes:
        """Return a header's bytes; empty if it was not sent."""
        return self._values.get(name, b"")

    def text(self, name: bytes) -> str:
        """Return a header's text.

        :raises InvalidInput: if it is not UTF-8
        """
        value = self._values.get(name)
        if not value:
            return ""
        try:
            return value.decode().strip()
        except UnicodeDecodeError:
            raise InvalidInput(f"The header {name.decode()} is not UTF-8.", param=name.decode()) from None


def for_provider(raw: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Choose the headers that go on to a provider. A header that is not UTF-8 cannot be sent on and stays here.

    So does one in which a key of ours stands, wherever a caller has put it, and one that would steer a gateway beyond.
    """
    named: frozenset[bytes] = frozenset()
    chosen = []
    for name, value in raw:
        if name == b"connection":
            named |= _listed(value)
        elif name not in _KEPT_HERE and not name.startswith(_STEERING) and _OUR_KEY not in value:
            try:
                chosen.append((name.decode("ascii"), value.decode()))
            except UnicodeDecodeError:
                continue
    return [header for header in chosen if header[0].encode() not in named] if named else chosen


def for_client(raw: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """Choose the headers of a provider's answer that go back to the caller."""
    named: frozenset[bytes] = frozenset()
    chosen = []
    for name, value in raw:
        lower = name.lower()
        if lower == b"connection":
            named |= _listed(value)
        elif lower in {b"x-request-id", b"request-id"}:
            chosen.append((b"x-upstream-request-id", value))
        elif lower not in _ABOUT_PROVIDER:
            chosen.append((lower, value))
    return [header for header in chosen if header[0] not in named] if named else chosen


def _listed(value: bytes) -> frozenset[bytes]:
    """Headers that a Connection header declares to be of this connection alone."""
    return frozenset(name.strip().lower() for name in value.split(b","))
