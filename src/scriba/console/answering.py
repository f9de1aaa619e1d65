"""Around every handler of the console: reads a form, keeps the event loop free, turns errors into pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool

from scriba.errors import BodyTooLarge, PermissionDenied, ScribaError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["Form", "Handler", "answering"]

Form: TypeAlias = "Mapping[str, str]"
Handler: TypeAlias = "Callable[[Request, Form], Response]"

_MAX_FORM_BYTES: Final = 8_192
_SAME_SITE: Final = {"same-origin", "none"}


def answering(
    handler: Handler, refuse: Callable[[Request, Form, ScribaError], Response]
) -> Callable[[Request], Awaitable[Response]]:
    """Make an endpoint of a handler that may block.

    :param handler: gets the request and the fields of its form, which are none for a GET
    :param refuse: makes the page for an error
    """

    def work(request: Request, form: Form) -> Response:
        try:
            return handler(request, form)
        except ScribaError as error:
            return refuse(request, form, error)

    async def answer(request: Request) -> Response:
        try:
            form = await _read_form(request) if request.method == "POST" else {}
        except ScribaError as error:
            return await run_in_threadpool(refuse, request, {}, error)
        return await run_in_threadpool(work, request, form)

    return answer


async def _read_form(request: Request) -> Form:
    """Read the fields of a form that one of our pages sent.

    :raises PermissionDenied: another site's page sent it
    :raises BodyTooLarge: it is larger than any of our forms
    """
    # Browsers say where a form comes from; without the header it is no browser, and has no session to be misused.
    if request.headers.get("sec-fetch-site", "none") not in _SAME_SITE:
        raise PermissionDenied("This form was sent from another site.", hint="Sign in on this page instead.")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_FORM_BYTES:
            raise BodyTooLarge("No form of the console is that large.")
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
