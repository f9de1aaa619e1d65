"""The pages of the console and their addresses. They read; nothing here changes a log."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec
from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from scriba.auth import WrongRole
from scriba.console.answering import answering
from scriba.console.assets import asset_response
from scriba.console.facts import sections_of
from scriba.console.newest import CHOICES, SHOWN, Newest
from scriba.console.pages import HEADERS, render
from scriba.console.reports import report_response
from scriba.console.visitor import address_of, close_session, may_read, open_session, reached_at, visitor_of
from scriba.console.words import line_of
from scriba.errors import NotFound, PermissionDenied, ScribaError, Unauthenticated, Unavailable
from scriba.gateway.configured import SANDBOX, SANDBOX_MODEL, configure

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from scriba.console.answering import Form
    from scriba.console.newest import State
    from scriba.console.visitor import Visitor
    from scriba.services import Services

__all__ = ["create_console"]

_PATIENCE_SECONDS: Final = 0.4
_ENTRIES: Final = "/entries/"


class _NobodyYet(Unauthenticated):
    """Nobody has signed in: not a mistake, so the page says nothing of one."""


def create_console(services: Services) -> APIRouter:
    """Make the routes of the console."""
    console = _Console(services)
    return APIRouter(
        routes=[
            Route(path, answering(handler, console.refuse), methods=[method], include_in_schema=False)
            for method, path, handler in (
                ("GET", "/", console.home),
                ("GET", "/console/newest", console.newest),
                ("GET", _ENTRIES + "{entry_id:path}", console.entry),
                ("GET", "/how-it-is-verified", console.explained),
                ("GET", "/reports", console.report),
                ("GET", "/login/{token}", console.follow_link),
                ("POST", "/login", console.sign_in),
                ("POST", "/logout", console.sign_out),
                ("GET", "/console/static/{digest}/{name}", console.asset),
            )
        ],
    )


class _Console:
    """The handlers. Each may block; `answering` runs it in a thread."""

    def __init__(self, services: Services) -> None:
        self._newest = Newest(services)
        self._audit_log = services.audit_log
        self._reports = services.reports
        self._sessions = services.sessions
        self._failures = services.access_failures
        self._proxies = services.settings.trusted_proxies
        self._lets_through = services.settings.log_failure == "allow"
        providers = configure(services.settings.providers, services.decision_point.catalogue).names
        self._first_model = SANDBOX_MODEL if SANDBOX in providers else "gpt-4o"

    def home(self, request: Request, _form: Form) -> Response:
        """Show the newest entries."""
        visitor = self._signed_in(request)
        state = self._newest.state(visitor.principal.org_id, _choice(request), _PATIENCE_SECONDS)
        return render("entries.html", {**self._list(request, visitor, state), "etag": state.etag})

    def newest(self, request: Request, _form: Form) -> Response:
        """Show the part of the home page that changes; 304 if it has not."""
        visitor = self._signed_in(request)
        state = self._newest.state(visitor.principal.org_id, _choice(request))
        headers = {"ETag": state.etag}
        if request.headers.get("if-none-match") == state.etag:
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=HEADERS | headers)
        return render("newest.html", self._list(request, visitor, state), headers=headers)

    def entry(self, request: Request, _form: Form) -> Response:
        """Show one entry."""
        visitor = self._signed_in(request)
        detail = self._audit_log.get(visitor.principal.org_id, request.path_params["entry_id"])
        document = msgspec.json.format(msgspec.json.encode(detail.fields()), indent=2).decode()
        values = {"line": line_of(detail.entry), "sections": sections_of(detail), "document": document}
        return render("entry.html", {**values, "intact": detail.proof.intact, "visitor": visitor})

    def report(self, request: Request, _form: Form) -> Response:
        """Make the report of a period, or ask for which."""
        return report_response(self._reports, self._signed_in(request), request.query_params)

    def explained(self, request: Request, _form: Form) -> Response:
        """Explain what "verified" means; for who has signed in, with the state of their logs."""
        visitor = self._visitor(request)
        state = self._newest.state(visitor.principal.org_id, "", _PATIENCE_SECONDS) if visitor else None
        values = {
            "standing": state.standing if state else None,
            "notice": self._newest.notice(visitor.principal.org_id) if visitor else None,
            "lets_through": self._lets_through,
        }
        return render("explained.html", {**values, "visitor": visitor})

    def follow_link(self, request: Request, _form: Form) -> Response:
        """Use up a one-time link. Looking ahead, as HEAD or as a browser's prefetch, does not use it up."""
        if request.method == "HEAD" or "prefetch" in request.headers.get("sec-purpose", ""):
            return Response(headers=HEADERS)
        token = request.path_params["token"]
        return self._enter(request, lambda: self._sessions.redeem(token), "/")

    def sign_in(self, request: Request, form: Form) -> Response:
        """Exchange a key for a session."""
        key = form.get("key", "").strip()
        return self._enter(request, lambda: self._sessions.open(key), _next_page(form.get("next", "")))

    def sign_out(self, request: Request, form: Form) -> Response:
        """End the session."""
        response = RedirectResponse("/", HTTPStatus.SEE_OTHER, HEADERS)
        close_session(request, response, self._sessions, form.get("csrf", ""))
        return response

    def asset(self, request: Request, _form: Form) -> Response:
        """Send a file that pages load."""
        return asset_response(request.path_params["digest"], request.path_params["name"])

    def refuse(self, request: Request, form: Form, error: ScribaError) -> Response:
        """Make a page of an error: the sign-in page if signing in could help, else one that says what is wrong."""
        values = {"visitor": self._known_visitor(request), "error": error}
        if isinstance(error, Unauthenticated | PermissionDenied):
            next_page = _next_page(form.get("next", request.url.path))
            nobody_yet = isinstance(error, _NobodyYet)
            status = HTTPStatus.OK if nobody_yet and request.url.path == "/" else error.status
            problem = "" if nobody_yet else str(error)
            return render("sign_in.html", {**values, "problem": problem, "next": next_page}, status)
        title = "Not found" if isinstance(error, NotFound) else "This did not work"
        headers = {"Retry-After": str(error.retry_after)} if isinstance(error, Unavailable) else {}
        return render("message.html", {**values, "title": title}, error.status, headers)

    def _list(self, request: Request, visitor: Visitor, state: State) -> dict[str, object]:
        entries, has_more = self._newest.entries(visitor.principal.org_id, state)
        return {
            "visitor": visitor,
            "base": reached_at(request, self._proxies),
            "first_model": self._first_model,
            "show": state.show,
            "choices": CHOICES,
            "shown": SHOWN,
            "has_more": has_more,
            "standing": state.standing,
            "lines": [line_of(entry) for entry in entries],
        }

    def _enter(self, request: Request, open_with: Callable[[], str], next_page: str) -> Response:
        """Open a session; whoever gets none is counted as at the API."""
        try:
            cookie = open_with()
            may_read(self._sessions.principal(cookie))
        except (Unauthenticated, PermissionDenied) as error:
            refused = error.__cause__ if isinstance(error.__cause__, WrongRole) else error
            self._failures.note(refused, address_of(request, self._proxies))
            raise
        response = RedirectResponse(next_page, HTTPStatus.SEE_OTHER, HEADERS)
        open_session(response, cookie, secure=reached_at(request, self._proxies).startswith("https:"))
        return response

    def _visitor(self, request: Request) -> Visitor | None:
        return visitor_of(request, self._sessions)

    def _signed_in(self, request: Request) -> Visitor:
        if (visitor := self._visitor(request)) is None:
            raise _NobodyYet("Nobody has signed in.")
        return visitor

    def _known_visitor(self, request: Request) -> Visitor | None:
        """Return who has signed in, for a page that must come out whatever is wrong with the session."""
        try:
            return self._visitor(request)
        except ScribaError:
            return None


def _choice(request: Request) -> str:
    show = request.query_params.get("show", "")
    if show not in CHOICES:
        raise NotFound(f"There is no list of {show!r} entries.")
    return show


def _next_page(path: str) -> str:
    """Return where to go after signing in: only ever to an entry or home, whatever a link or a form asks for."""
    return path if path.startswith(_ENTRIES) else "/"
