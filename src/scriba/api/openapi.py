"""The OpenAPI document, made of the code: routes and their parameters, `ACCESS`, and the gateway's table.

https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec
from fastapi.openapi.utils import get_openapi

import scriba
from scriba.api.access import ACCESS
from scriba.api.described import REFERENCE
from scriba.api.gateway_operations import gateway_paths
from scriba.api.shapes import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fastapi import FastAPI

    from scriba.storage.model import Role

__all__ = ["openapi_document"]

_ABOUT: Final = """\
The API of Scriba: what applications ask models for, the log of every decision about it, and what is managed.

Send a key as `Authorization: Bearer sk_scriba_…` or as `x-api-key: sk_scriba_…`. A key belongs to one organisation and
has one role; each operation names the roles that it takes (`x-roles`). What belongs to another organisation does not
exist. Every answer carries an `X-Request-Id`."""

_METHODS: Final = frozenset({"delete", "get", "head", "patch", "post", "put"})
_KEYED: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"apiKey": []}]
_SCHEMES: Final[dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key: `sk_scriba_…`."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "The same key."},
}
_REQUEST_ID: Final = {
    "description": "Names this one request; support and logs go by it.",
    "schema": {"type": "string", "pattern": "^req_[0-9a-z]{26}$"},
}
_SAYS: Final = {
    HTTPStatus.BAD_REQUEST: "Something in the request is not allowed; `param` names it and the message what is.",
    HTTPStatus.UNAUTHORIZED: "No key, or one that is unknown, revoked or expired.",
    HTTPStatus.FORBIDDEN: "The key has another role.",
    HTTPStatus.NOT_FOUND: "There is nothing with this id in the key's organisation.",
    HTTPStatus.CONFLICT: "It contradicts something that exists.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than the limit.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is compressed, or of a type that is not read here.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something failed inside Scriba; its own log says what.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Cannot be done right now; `retry-after` says when to try again.",
}


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Return the document of everything that can be asked."""
    document: dict[str, Any] = get_openapi(
        title="Scriba",
        version=scriba.__version__,
        description=_ABOUT,
        routes=app.routes,
        separate_input_output_schemas=False,
    )
    document["paths"] |= gateway_paths()
    for path, method, operation in _operations(document):
        _complete(operation, method.upper(), path)
    components = document.setdefault("components", {})
    components["securitySchemes"] = _SCHEMES
    components["headers"] = {"RequestId": _REQUEST_ID}
    components["responses"] = {
        f"Problem{status.value}": {
            "description": says,
            "headers": _headers(),
            "content": {"application/json": {"schema": {"$ref": REFERENCE.format(name="Problem")}}},
        }
        for status, says in _SAYS.items()
    }
    schemas = {"": msgspec.json.schema(Problem, ref_template=REFERENCE)}
    components["schemas"] = _collected([document["paths"], schemas])
    _rename(document)
    return document


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in _METHODS:
                yield path, method, operation


def _complete(operation: dict[str, Any], method: str, path: str) -> None:
    """Add what follows from access, path and method: roles, and the errors that the operation can have."""
    roles = ACCESS.get((method, path), ())
    operation["security"] = [] if roles is None else _KEYED
    if roles is not None:
        operation["x-roles"] = [str(role) for role in roles]
    operation.setdefault("tags", [_resource(path)])
    responses = operation["responses"]
    responses.pop("422", None)  # the framework's own shape, which is never answered
    for response in responses.values():
        response.setdefault("headers", {}).update(_headers())
    if "x-dialect" in operation:
        return
    for status in _errors(operation, roles):
        own = responses.get(str(status.value))
        if own is None:
            responses[str(status.value)] = {"$ref": f"#/components/responses/Problem{status.value}"}
    for status, response in responses.items():
        if status >= "400" and "$ref" not in response and "content" not in response:
            response["content"] = {"application/json": {"schema": {"$ref": REFERENCE.format(name="Problem")}}}


def _errors(operation: dict[str, Any], roles: Sequence[Role] | None) -> Iterator[HTTPStatus]:
    yield HTTPStatus.BAD_REQUEST
    if roles is not None:
        yield HTTPStatus.UNAUTHORIZED
        yield HTTPStatus.FORBIDDEN
    if any(parameter["in"] == "path" for parameter in operation.get("parameters", ())):
        yield HTTPStatus.NOT_FOUND
    if "requestBody" in operation:
        yield HTTPStatus.CONFLICT
        yield HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        yield HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    yield HTTPStatus.INTERNAL_SERVER_ERROR
    yield HTTPStatus.SERVICE_UNAVAILABLE


def _headers() -> dict[str, Any]:
    return {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}


def _resource(path: str) -> str:
    """Return what an operation belongs to, by its path."""
    parts = [part for part in path.split("/") if part and not part.startswith("{")]
    if parts[:1] == ["governance"]:
        return parts[1] if len(parts) > 1 else "policies"
    return "webhooks" if parts[:1] == ["webhooks"] else "operations"


def _rename(document: dict[str, Any]) -> None:
    """Call every schema by its public name: an underscore is the business of the module that has it."""
    schemas = document["components"]["schemas"]
    for name in [name for name in schemas if name.startswith("_")]:
        public = name.lstrip("_")
        if public in schemas:
            raise AssertionError(f"two schemas are called {public}")
        schemas[public] = schemas.pop(name)
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    waiting: list[object] = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(reference := value.get("$ref"), str):
                value["$ref"] = reference.replace("/schemas/_", "/schemas/")
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _collected(where: object) -> dict[str, Any]:
    """Take the schemas out of all `$defs` that schemas brought along.

    :raises AssertionError: two different ones have the same name
    """
    found: dict[str, Any] = {}
    waiting = [where]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            for name, schema in value.pop("$defs", {}).items():
                if found.setdefault(name, schema) != schema:
                    raise AssertionError(f"two schemas are called {name}")
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return dict(sorted(found.items()))
