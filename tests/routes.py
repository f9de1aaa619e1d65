"""Everything that can be asked of a server, found in the program itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from scriba.gateway.routes import ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

__all__ = ["Asked", "api_routes", "everything"]

_PARAMETER = re.compile(r"\{(\w+)\}")


class Asked(NamedTuple):
    """One route: a method and a path whose parameters stand in braces, as the access table writes it."""

    method: str
    path: str

    def at(self, **values: str) -> str:
        """Return the path with values for its parameters."""
        return self.path.format(**values)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters in the path."""
        return tuple(_PARAMETER.findall(self.path))


def api_routes(app: FastAPI) -> Iterator[RouteContext]:
    """Yield the routes of the API, without the pages of the console."""
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, APIRoute):
            yield context


def everything(app: FastAPI) -> list[Asked]:
    """Return all routes of API and gateway."""
    found = {Asked(method, str(route.path_format)) for route in api_routes(app) for method in route.methods or ()}
    return sorted(found | {Asked(*key) for key in ROUTES})
