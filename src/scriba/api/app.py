"""The HTTP API. (Placeholder until the real one lands; overwrite.)"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI

if TYPE_CHECKING:
    from scriba.services import Services

__all__ = ["create_api"]


def create_api(services: Services) -> FastAPI:
    """Return the application."""
    api = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    api.state.services = services
    return api
