"""Who may call what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scriba.api.access import ACCESS
from scriba.storage.model import COMMAND_LINE, Role

if TYPE_CHECKING:
    from httpx2 import Response
    from tests.unit.api.conftest import Api, Tenant

ROUTES = sorted(ACCESS)
KEYED = [route for route in ROUTES if ACCESS[route] is not None]


def ask(api: Api, method: str, path: str, key: str) -> Response:
    """Call a route with something in the place of the id."""
    return api.ask(method, path.replace("{id}", "gpol_nobody"), key, json={} if method in {"POST", "PATCH"} else None)


def test_every_route_has_a_row(api: Api) -> None:
    """Table and application name the same routes, so that none is open by oversight."""
    paths: dict[str, dict[str, Any]] = api.app.openapi()["paths"]
    assert {(method.upper(), path) for path, methods in paths.items() for method in methods} == set(ACCESS)


def test_a_route_without_a_row_cannot_be_called(api: Api, admin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever forgets the row finds the route closed, also for an admin."""
    monkeypatch.setattr("scriba.api.access.ACCESS", {})
    assert api.ask("GET", "/governance", admin).status_code == 500
    assert api.ask("GET", "/livez").status_code == 500


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(("method", "path"), KEYED)
def test_roles(api: Api, tenant: Tenant, method: str, path: str, role: Role) -> None:
    """Exactly the roles of the row get past the door."""
    answer = ask(api, method, path, tenant.keys[role])
    if role in (ACCESS[method, path] or ()):
        assert answer.status_code not in {401, 403, 500}
        return
    assert answer.status_code == 403
    assert answer.headers["x-should-retry"] == "false"
    assert answer.json()["error"]["type"] == "permission_error"
    assert f"`{role}`" in answer.json()["error"]["message"]


@pytest.mark.parametrize(("method", "path"), KEYED)
def test_without_a_good_key(api: Api, method: str, path: str) -> None:
    """No key, a wrong one and a malformed header are refused alike."""
    for headers in (
        {},
        {"Authorization": "Bearer sk_scriba_wrong"},
        {"Authorization": "Basic abc"},
        {"x-api-key": "x"},
    ):
        answer = api.ask(method, path.replace("{id}", "gpol_nobody"), headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["type"] == "authentication_error"


def test_a_revoked_key(api: Api, tenant: Tenant, auditor: str) -> None:
    """A key is refused from the moment it was revoked, and told why."""
    assert api.ask("GET", "/governance", auditor).status_code == 200
    key = api.services.authenticator.identify(auditor)
    api.services.control.revoke_key(tenant.id, key.key_id, actor=COMMAND_LINE)
    answer = api.ask("GET", "/governance", auditor)
    assert answer.status_code == 401
    assert "revoked" in answer.json()["error"]["message"]


def test_a_key_in_the_other_header(api: Api, auditor: str) -> None:
    """`x-api-key` does as well as `Authorization`."""
    assert api.ask("GET", "/governance", headers={"x-api-key": auditor}).status_code == 200


def test_the_body_of_a_stranger_is_not_read(api: Api) -> None:
    """A request is refused for its key before its body is looked at."""
    assert api.ask("POST", "/governance", content=b"x" * 100_000).status_code == 401


def test_alive_without_a_key(api: Api) -> None:
    """`/livez` answers anybody."""
    answer = api.ask("GET", "/livez")
    assert (answer.status_code, answer.text) == (200, "ok")
