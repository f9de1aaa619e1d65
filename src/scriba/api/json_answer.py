"""Answers in JSON."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from fastapi import Response

__all__ = ["encoded_answer", "json_answer"]


def json_answer(document: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Answer with a document."""
    return encoded_answer(msgspec.json.encode(document), status)


def encoded_answer(document: bytes, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Answer with the bytes of a document, as they were kept for whoever repeats the request."""
    return Response(document, status, media_type="application/json")
