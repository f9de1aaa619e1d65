"""The HTTP API, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI

from scriba.api import audit_logs, health, imports, ingest, models, policies
from scriba.api.access import admit
from scriba.api.openapi import openapi_document
from scriba.api.problems import handle_problems
from scriba.api.query import check_encoding

if TYPE_CHECKING:
    from scriba.services import Services

__all__ = ["create_api"]


class _Api(FastAPI):
    """An application whose OpenAPI document tells of the gateway's routes as well."""

    def openapi(self) -> dict[str, Any]:
        """Return the document, which is made once."""
        if self.openapi_schema is None:
            self.openapi_schema = openapi_document(self)
        return self.openapi_schema


def create_api(services: Services) -> FastAPI:
    """Return the application. Every route of the API passes `admit`, whichever router it is on."""
    api = _Api(
        title="Scriba",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        dependencies=[Depends(admit), Depends(check_encoding)],
    )
    api.state.services = services
    handle_problems(api)
    for resource in (health, audit_logs, ingest, imports, models, policies):
        api.include_router(resource.router)
    return api
