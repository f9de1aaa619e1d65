"""Every error of the API, in one shape: `{"error": {"type", "code", "message", "param", "requestId"}}`.

What went wrong inside is for the operator: it goes to the log, and the answer names only the request.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from scriba.api.access import note_refusal
from scriba.domain.ids import mint_id
from scriba.domain.nearest import did_you_mean
from scriba.errors import InvalidInput, NotFound, RequestError, ScribaError, Unavailable
from scriba.log_output import REQUEST_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Edge", "handle_problems"]

MAX_RETRY_AFTER: Final = 60
"""Seconds; the usual clients ignore a longer wait."""

_TYPES: Final = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.NOT_FOUND: "not_found_error",
    HTTPStatus.CONFLICT: "conflict_error",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable_error",
}
_INSIDE: Final = "Something failed inside Scriba; its own log says what, under this request id."
_LATER: Final = "Scriba cannot do this right now; try again in a moment."
_METHODS: Final = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
_log: Final = logging.getLogger("scriba.api")


class MethodNotAllowedError(RequestError):
    """A path that exists, asked for by a method that it does not have."""

    code: ClassVar[str] = "method_not_allowed"
    status: ClassVar[int] = HTTPStatus.METHOD_NOT_ALLOWED


class Edge:
    """The outermost layer: gives every answer its `X-Request-Id`, and answers what nobody else caught.

    An answer that fails half way is not ended, so the server breaks the connection: it must not look whole.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = mint_id("req")
        REQUEST_ID.set(request_id)
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def send_marked(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message = {**message, "headers": [*message["headers"], (b"x-request-id", request_id.encode())]}
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
        except Exception:  # noqa: BLE001 - the edge of every request: logged, and answered if nothing was yet
            _log.exception("The request %s failed.", request_id)
            if not started:
                await _response(ScribaError(_INSIDE), _INSIDE, request_id)(scope, receive, send_marked)


def handle_problems(app: FastAPI) -> None:
    """Make the application render every error here."""
    app.add_middleware(Edge)
    app.add_exception_handler(ScribaError, _of_ours)
    app.add_exception_handler(RequestValidationError, _of_parameters)
    app.add_exception_handler(HTTPException, _of_routing)


def _of_ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, ScribaError)  # noqa: S101 - registered for it
    note_refusal(request, error)
    return _answer(error, _request_id(request))


def _of_parameters(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    first = error.errors()[0]
    name = str(first["loc"][-1])
    problem = InvalidInput(f"{name}: {first['msg']}.", param=name)
    if first["type"] == "extra_forbidden":
        hint = did_you_mean(name, _parameters(request.scope["route"]))
        problem = InvalidInput(f"There is no parameter {name[:100]!r} here.", param=name, hint=hint)
    return _answer(problem, _request_id(request))


def _of_routing(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    if error.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
        return _answer(NotFound(f"There is nothing at {request.url.path[:100]}."), _request_id(request))
    allowed = ", ".join(_allowed_methods(request))
    problem = MethodNotAllowedError(
        f"{request.method} is not possible at {request.url.path[:100]}; allowed: {allowed}."
    )
    response = _answer(problem, _request_id(request))
    response.headers["allow"] = allowed
    return response


def _answer(error: ScribaError, request_id: str) -> Response:
    if error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return _response(error, str(error), request_id)
    _log.error("The request %s failed: %s", request_id, error)
    return _response(error, _LATER if isinstance(error, Unavailable) else _INSIDE, request_id)


def _response(error: ScribaError, message: str, request_id: str) -> Response:
    other = "invalid_request_error" if error.status < HTTPStatus.INTERNAL_SERVER_ERROR else "api_error"
    fields = {
        "type": _TYPES.get(HTTPStatus(error.status), other),
        "code": error.code,
        "message": message,
        "param": error.param,
        "requestId": request_id,
    }
    headers = {}
    if error.status in {HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT}:
        headers["x-should-retry"] = "false"  # the usual clients would try a 409 again
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, Unavailable):
        headers["retry-after"] = str(min(error.retry_after, MAX_RETRY_AFTER))
    return Response(msgspec.json.encode({"error": fields}), error.status, headers, "application/json")


def _request_id(request: Request) -> str:
    request_id: str = request.state.request_id
    return request_id


def _parameters(route: object) -> Iterator[str]:
    """Yield the names of the query parameters that a route takes."""
    if isinstance(route, APIRoute):
        for query in route.dependant.query_params:
            for name, field in getattr(query.field_info.annotation, "model_fields", {}).items():
                yield field.alias or name


def _allowed_methods(request: Request) -> Iterator[str]:
    for method in _METHODS:
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            yield method
