"""The document that describes the API is whole and says what is so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.routes import api_routes, everything

from scriba.api.access import ACCESS

if TYPE_CHECKING:
    from tests.unit.api.conftest import Api


@pytest.fixture(scope="module")
def document(api: Api) -> dict[str, Any]:
    """Return the document."""
    return api.app.openapi()


def operation_of(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    """Return what the document says of one route."""
    operation: dict[str, Any] = document["paths"][path][method.lower()]
    return operation


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    """It is OpenAPI 3.1, with every reference resolved."""
    assert document["openapi"].startswith("3.1")
    errors = [f"{list(error.path)}: {error.message}" for error in OpenAPIV31SpecValidator(document).iter_errors()]
    assert errors == []


def test_every_route_is_described(api: Api, document: dict[str, Any]) -> None:
    """Whatever can be asked, of API or gateway, stands in the document, and nothing else."""
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == set(everything(api.app)) == set(ACCESS)


def test_every_answer_has_a_shape(api: Api) -> None:
    """A route that does not say what it answers (`scriba.api.described`) fails here."""
    bare = []
    for route in api_routes(api.app):
        good = {int(status): answer for status, answer in (route.responses or {}).items() if int(status) < 400}
        if not good or not all(status == 204 or answer.get("content") for status, answer in good.items()):
            bare.append((route.methods, route.path))
    assert bare == []


def test_every_body_has_a_shape(document: dict[str, Any], api: Api) -> None:
    """So does a body: a POST, PATCH or PUT that reads JSON says which."""
    silent = [
        (route.methods, route.path)
        for route in api_routes(api.app)
        if {"POST", "PATCH", "PUT"}.intersection(route.methods or ())
        and _reads_body(route)
        and not _has_body(document, route)
    ]
    assert silent == []


def test_every_error_has_one_shape(document: dict[str, Any]) -> None:
    """Each operation of the API names its errors, all of the shape `Problem`."""
    problem = "#/components/schemas/Problem"
    for method, path in ACCESS:
        operation = operation_of(document, method, path)
        if "x-dialect" in operation:
            continue
        expected = {"400", "500", "503"} | ({"401", "403"} if operation["security"] else set())
        assert expected <= set(operation["responses"]), (method, path)
        for status, response in operation["responses"].items():
            if status >= "400" and path != "/readyz":  # which says in its own words what is missing
                name = response.get("$ref", "").rpartition("/")[2]
                whole = document["components"]["responses"][name] if name else response
                assert whole["content"]["application/json"]["schema"]["$ref"] == problem, (method, path, status)


def test_access_is_part_of_it(document: dict[str, Any]) -> None:
    """Each operation says which roles it takes and how a key is sent."""
    for (method, path), roles in ACCESS.items():
        operation = operation_of(document, method, path)
        assert operation.get("x-roles") == (None if roles is None else [str(role) for role in roles])
        assert operation["security"] == ([] if roles is None else [{"bearer": []}, {"apiKey": []}])
    assert set(document["components"]["securitySchemes"]) == {"bearer", "apiKey"}


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    """Generators of clients name functions by them."""
    ids = [operation_of(document, method, path)["operationId"] for method, path in ACCESS]
    assert len(set(ids)) == len(ids)


def _reads_body(route: Any) -> bool:
    waiting, names = [route.dependant], set()
    while waiting:
        dependant = waiting.pop()
        names.add(getattr(dependant.call, "__name__", ""))
        waiting.extend(dependant.dependencies)
    return any("body" in name for name in names)


def _has_body(document: dict[str, Any], route: Any) -> bool:
    return all(
        "requestBody" in operation_of(document, method, route.path_format)
        for method in route.methods
        if method != "GET"
    )
