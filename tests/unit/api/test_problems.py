"""Errors: one shape, whatever went wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from scriba.api.access import ACCESS
from scriba.errors import IntegrityError, StoreUnreachable
from scriba.gateway.routes import ROUTES

if TYPE_CHECKING:
    from httpx2 import Response
    from tests.unit.api.conftest import Api

REQUEST_ID = re.compile(r"req_[0-9a-z]{26}")


def error_of(answer: Response) -> dict[str, Any]:
    """Check the shape of an error and return it."""
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["error"]
    error: dict[str, Any] = answer.json()["error"]
    assert list(error) == ["type", "code", "message", "param", "requestId"]
    assert error["requestId"] == answer.headers["x-request-id"]
    assert REQUEST_ID.fullmatch(error["requestId"])
    return error


def test_every_answer_has_an_id_of_its_own(api: Api, auditor: str) -> None:
    """`X-Request-Id` names one request, good or bad."""
    answers = [api.ask("GET", path, auditor) for path in ("/livez", "/governance", "/governance", "/nowhere")]
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == len(answers)
    assert all(map(REQUEST_ID.fullmatch, ids))


@pytest.mark.parametrize(
    "path", ["/nowhere", "/governance/", "/governance/nothing", "/governance/audit-logs/", "/docs/"]
)
def test_an_unknown_path(api: Api, auditor: str, path: str) -> None:
    """What does not exist is a 404, also where a name merely looks like an id."""
    answer = api.ask("GET", path, auditor)
    assert answer.status_code == 404
    error = error_of(answer)
    assert (error["type"], error["code"]) == ("not_found_error", "not_found")
    assert path in error["message"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/governance", "GET, POST"),
        ("POST", "/governance/gpol_x", "DELETE, GET, PATCH"),
        ("DELETE", "/governance/audit-logs", "GET, POST"),
        ("POST", "/livez", "GET"),
    ],
)
def test_a_wrong_method(api: Api, method: str, path: str, allowed: str) -> None:
    """A 405 names all the methods that the path has."""
    answer = api.ask(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    error = error_of(answer)
    assert (error["type"], error["code"]) == ("invalid_request_error", "method_not_allowed")


@pytest.mark.parametrize(
    ("path", "name", "hint"),
    [
        ("/governance/audit-logs?polcyId=gpol_x", "polcyId", "Did you mean policyId?"),
        ("/governance/audit-logs?policy_id=gpol_x", "policy_id", "Did you mean policyId?"),
        ("/governance/audit-logs?limit=1&startdate=2025-01-01", "startdate", "Did you mean startDate?"),
        ("/governance/audit-logs/audit_x?format=csv", "format", "Known are: none."),
        ("/governance?limt=5", "limt", "Did you mean limit?"),
        ("/governance/gpol_x?version=1", "version", "Known are: none."),
    ],
)
def test_an_unknown_parameter(api: Api, auditor: str, path: str, name: str, hint: str) -> None:
    """A mistyped parameter is refused with the nearest known name, on every route."""
    answer = api.ask("GET", path, auditor)
    assert answer.status_code == 400
    error = error_of(answer)
    assert error["param"] == name
    assert error["message"] == f"There is no parameter '{name}' here. {hint}"


@pytest.mark.parametrize(("method", "path"), sorted(set(ACCESS) - set(ROUTES)))
def test_no_route_takes_unknown_parameters(api: Api, admin: str, method: str, path: str) -> None:
    """A parameter that a route does not know is refused on every route, also where there are none to know."""
    body: dict[str, Any] | None = {} if method in {"POST", "PATCH"} else None
    answer = api.ask(method, path.replace("{id}", "gpol_x") + "?nonsense=1", admin, json=body)
    assert (answer.status_code, error_of(answer)["param"]) == (400, "nonsense")


def test_a_query_that_is_not_utf8(api: Api, auditor: str) -> None:
    """Bytes that are no text are refused, not replaced."""
    answer = api.ask("GET", "/governance/audit-logs?limit=1&model=%ff", auditor)
    assert answer.status_code == 400
    assert error_of(answer)["param"] == "model"


def test_the_database_does_not_answer(
    api: Api, auditor: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A 503 says when to come back; where the database is stands in the log alone."""

    def unreachable(*_: object) -> None:
        raise StoreUnreachable("The database postgresql://db.internal/scriba cannot be used.")

    monkeypatch.setattr(api.services.control, "refresh", unreachable)
    answer = api.ask("GET", "/governance", auditor)
    assert answer.status_code == 503
    assert 0 < int(answer.headers["retry-after"]) <= 60
    error = error_of(answer)
    assert (error["type"], error["code"]) == ("unavailable_error", "database_unreachable")
    assert "db.internal" not in answer.text
    assert error["requestId"] in caplog.text
    assert "db.internal" in caplog.text


@pytest.mark.parametrize("fault", [ZeroDivisionError("secret detail"), IntegrityError("secret detail")])
def test_a_fault_of_ours(
    api: Api, auditor: str, fault: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A 500 tells the caller nothing but the request id, and the operator everything."""

    def fail(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(api.services.audit_log, "list", fail)
    answer = api.ask("GET", "/governance/audit-logs", auditor)
    assert answer.status_code == 500
    error = error_of(answer)
    assert error["type"] == "api_error"
    assert "secret detail" not in answer.text
    assert "Traceback" not in answer.text
    assert error["requestId"] in caplog.text
    assert "secret detail" in caplog.text
