"""Who looks at a page, by the session cookie, and at what address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from scriba.auth import SESSION_SECONDS, Principal, Sessions, require
from scriba.errors import PermissionDenied
from scriba.gateway.caller import address_of as address_in
from scriba.gateway.caller import is_trusted, unmapped
from scriba.storage.model import Role

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from scriba.gateway.caller import Networks

__all__ = ["Visitor", "address_of", "close_session", "may_read", "open_session", "reached_at", "visitor_of"]

_COOKIE: Final = "scriba_session"


class Visitor(msgspec.Struct, frozen=True):
    """Somebody who has signed in. Every form that changes something sends `csrf` along."""

    principal: Principal
    csrf: str


def visitor_of(request: Request, sessions: Sessions) -> Visitor | None:
    """Return who has signed in; None for a browser without a session.

    :raises Unauthenticated: the session is over, or its key was revoked
    :raises PermissionDenied: its key may not read the log
    """
    cookie = request.cookies.get(_COOKIE)
    if not cookie:
        return None
    return Visitor(may_read(sessions.principal(cookie)), sessions.csrf(cookie))


def may_read(principal: Principal) -> Principal:
    """Return the principal if it may see entries.

    :raises PermissionDenied: it may not
    """
    try:
        require(principal, [Role.AUDITOR])
    except PermissionDenied as error:
        raise PermissionDenied(
            "This key may call models, but not read the log." if principal.role is Role.APP else error.message,
            hint="Sign in with a key of the role auditor or admin.",
        ) from error
    return principal


def open_session(response: Response, cookie: str, *, secure: bool) -> None:
    """Send the session cookie along: out of reach for scripts, and for forms of other sites.

    :param secure: whether the page came over TLS, so that the cookie never travels without it
    """
    response.set_cookie(_COOKIE, cookie, max_age=SESSION_SECONDS, httponly=True, samesite="lax", secure=secure)


def close_session(request: Request, response: Response, sessions: Sessions, csrf: str) -> None:
    """End the session, and let the browser forget it.

    :raises PermissionDenied: the form is not from a page of this session
    """
    cookie = request.cookies.get(_COOKIE, "")
    if not sessions.is_csrf(cookie, csrf):
        raise PermissionDenied("This page belongs to a session that is over.", hint="Reload it and try again.")
    sessions.end(cookie)
    response.delete_cookie(_COOKIE)


def address_of(request: Request, proxies: Networks) -> str:
    """Return the address of the visitor, behind a trusted proxy theirs and not the proxy's; empty if there is none."""
    peer = unmapped(request.client.host) if request.client else ""
    return address_in(request.headers.raw, peer, proxies)


def reached_at(request: Request, proxies: Networks) -> str:
    """Return scheme and host under which the visitor sees this server; a trusted proxy says what it was asked for."""
    scheme, host = request.url.scheme, request.url.netloc
    if request.client is not None and is_trusted(request.client.host, proxies):
        scheme = "https" if request.headers.get("x-forwarded-proto", "").lower() == "https" else scheme
        host = request.headers.get("x-forwarded-host", host)
    return f"{scheme}://{host}"
