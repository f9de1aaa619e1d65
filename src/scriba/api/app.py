"""The HTTP API, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI

from scriba.api import (
    audit_logs,
    docs,
    health,
    holds,
    imports,
    ingest,
    models,
    policies,
    reports,
    retention,
    stream,
    webhooks,
)
from scriba.api.access import admit
from scriba.api.openapi import openapi_document
from scriba.api.problems import handle_problems
from scriba.api.query import check_encoding, check_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from scriba.services import Services

__all__ = ["create_api"]


class _Api(FastAPI):
    """An application whose OpenAPI document tells of the gateway's routes as well."""

    def openapi(self) -> dict[str, Any]:
        """Return the document, which is made once."""
        if self.openapi_schema is None:
            self.openapi_schema = openapi_document(self)
        return self.openapi_schema


def create_api(services: Services, is_writing: Callable[[], bool] = lambda: True) -> FastAPI:
    """Return the application. Every route of the API passes `admit`, whichever router it is on.

    :param is_writing: whether the writer of the log is well
    """
    api = _Api(
        title="Scriba",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        dependencies=[Depends(admit), Depends(check_encoding), Depends(check_path)],
    )
    api.state.services = services
    api.state.is_writing = is_writing
    api.state.collectors = ()
    handle_problems(api)
    for resource in (
        health,
        docs,
        stream,
        audit_logs,
        ingest,
        imports,
        models,
        policies,
        reports,
        retention,
        holds,
        webhooks,
    ):
        api.include_router(resource.router)
    return api
