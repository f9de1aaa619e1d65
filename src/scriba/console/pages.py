"""From a template to an answer, with the headers that every page carries."""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from scriba.console.assets import asset_url
from scriba.console.visible import plain, reveal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HEADERS", "render"]

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # The address of a one-time link is a secret until it is used, and an entry's address is nobody else's business.
    "Referrer-Policy": "no-referrer",
    # Pages hold entries, or say who is signed in: no cache may keep them after sign-out.
    "Cache-Control": "no-store",
}
"""What every page is sent with. Nothing is loaded from elsewhere, and no script or style stands in a page itself."""

_NO_HEADERS: Final = MappingProxyType[str, str]({})
_ENVIRONMENT: Final = Environment(
    loader=PackageLoader("scriba.console"),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,
)
_ENVIRONMENT.filters |= {"plain": plain, "reveal": reveal}
_ENVIRONMENT.globals["asset"] = asset_url


def render(
    template: str,
    values: Mapping[str, object],
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] = _NO_HEADERS,
) -> HTMLResponse:
    """Render a page or a part of one. A value that the template names and that is not there is an error."""
    return HTMLResponse(_ENVIRONMENT.get_template(template).render(values), status, {**HEADERS, **headers})
