"""`/openapi.json` and `/docs`: the same document for programs and for people. They need no key."""

from functools import cache
from typing import Any

import msgspec
from fastapi import APIRouter, FastAPI, Request, Response

from scriba.api.described import answers
from scriba.api.query import NoQuery
from scriba.api.reference import groups_of, shapes_of
from scriba.console.pages import HEADERS, render

__all__ = ["router"]

router = APIRouter()


@cache
def _document(app: FastAPI) -> bytes:
    return msgspec.json.encode(app.openapi())


@cache
def _page(app: FastAPI) -> bytes:
    document = app.openapi()
    values = {"document": document, "groups": groups_of(document), "shapes": shapes_of(document), "visitor": None}
    return bytes(render("reference.html", values).body)


@router.get(
    "/openapi.json", response_class=Response, responses=answers(dict[str, Any], "This document, in OpenAPI 3.1.")
)
def describe(request: Request, _query: NoQuery) -> Response:
    """Describe everything that can be asked."""
    return Response(_document(request.app), media_type="application/json")


@router.get("/docs", response_class=Response, responses=answers(None, "A page to read.", also=["text/html"]))
def explain(request: Request, _query: NoQuery) -> Response:
    """Show the same as a page, which loads nothing from elsewhere and needs no script."""
    return Response(_page(request.app), headers=HEADERS, media_type="text/html")
