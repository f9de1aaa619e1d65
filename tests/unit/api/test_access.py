"""Who may call what: every route, asked with every kind of key, answers as the table says."""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from tests.routes import Asked

from scriba.api.access import ACCESS
from scriba.storage.model import COMMAND_LINE, Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.running import Running
    from tests.unit.api.conftest import Api, Tenant

ROUTES = [Asked(*route) for route in sorted(ACCESS)]
NOBODY = {"/governance/{id}": "gpol_nobody"}
REFUSED = {401, 403}
SOON = 200_000  # microseconds


class Answer(NamedTuple):
    """A status, and the error of an answer that was refused."""

    status: int
    error: Mapping[str, Any]
    headers: http.client.HTTPMessage


@pytest.fixture(scope="module")
def keys(server: Running) -> dict[str, str]:
    """Make an organisation with a key of every kind."""
    control = server.services.control
    org = control.create_organisation("every-key", actor=COMMAND_LINE)
    made = {str(role): control.create_key(org.id, role=role, actor=COMMAND_LINE)[1] for role in Role}
    revoked, made["revoked"] = control.create_key(org.id, role=Role.ADMIN, actor=COMMAND_LINE)
    control.revoke_key(org.id, revoked.id, actor=COMMAND_LINE)
    expires_at = time.time_ns() // 1000 + SOON
    made["expired"] = control.create_key(org.id, role=Role.ADMIN, expires_at=expires_at, actor=COMMAND_LINE)[1]
    time.sleep(SOON / 1e6)
    return {"none": "", "unknown": "sk_scriba_unknown", **made}


def ask(server: Running, route: Asked, headers: Mapping[str, str]) -> Answer:
    """Ask for something that does not exist, and read no further than the door: a stream would never end."""
    path = route.at(**dict.fromkeys(route.parameters, NOBODY.get(route.path, "nobody")))
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)
    try:
        body = "{}" if route.method in {"PATCH", "POST", "PUT"} else None
        connection.request(route.method, path, body, {"Content-Type": "application/json", **headers})
        response = connection.getresponse()
        error = json.loads(response.read())["error"] if response.status >= 400 else {}
        return Answer(response.status, error, response.headers)
    finally:
        connection.close()


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_every_cell(server: Running, keys: dict[str, str], route: Asked) -> None:
    """Exactly the roles of the row get past the door; 401 without a good key, 403 with one of another role."""
    roles = ACCESS[route]
    found = {kind: ask(server, route, {"Authorization": f"Bearer {key}"} if key else {}) for kind, key in keys.items()}
    assert {kind: answer.status for kind, answer in found.items() if answer.status >= 500} == {}
    refused = {kind: answer.status for kind, answer in found.items() if answer.status in REFUSED}
    if roles is None:
        assert refused == {}
        return
    others = {str(role): 403 for role in Role if role not in roles}
    assert refused == {"none": 401, "unknown": 401, "revoked": 401, "expired": 401, **others}
    for kind, status in refused.items():
        error, headers = found[kind].error, found[kind].headers
        if status == 403:
            assert f"`{kind}`" in error["message"]
            assert headers["x-should-retry"] == "false"
        else:
            assert error["code"] == "invalid_api_key"
            assert headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("route", [route for route in ROUTES if ACCESS[route] is not None], ids=" ".join)
def test_without_a_key_in_either_header(server: Running, keys: dict[str, str], route: Asked) -> None:
    """A header of another scheme is none, and `x-api-key` does as well as `Authorization`."""
    for headers in ({"Authorization": "Basic abc"}, {"x-api-key": "x"}, {"Authorization": "Bearer "}):
        assert ask(server, route, headers).status == 401
    assert ask(server, route, {"x-api-key": keys["admin"]}).status not in REFUSED


def test_a_route_without_a_row_cannot_be_called(api: Api, admin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever forgets the row finds the route closed, also for an admin."""
    monkeypatch.setattr("scriba.api.access.ACCESS", {})
    assert api.ask("GET", "/governance", admin).status_code == 500
    assert api.ask("GET", "/livez").status_code == 500


def test_a_revoked_key(api: Api, tenant: Tenant, auditor: str) -> None:
    """A key is refused from the moment it was revoked, and told why."""
    assert api.ask("GET", "/governance", auditor).status_code == 200
    key = api.services.authenticator.identify(auditor)
    api.services.control.revoke_key(tenant.id, key.key_id, actor=COMMAND_LINE)
    answer = api.ask("GET", "/governance", auditor)
    assert answer.status_code == 401
    assert "revoked" in answer.json()["error"]["message"]


def test_the_body_of_a_stranger_is_not_read(api: Api) -> None:
    """A request is refused for its key before its body is looked at."""
    assert api.ask("POST", "/governance", content=b"x" * 100_000).status_code == 401


def test_alive_without_a_key(api: Api) -> None:
    """`/livez` answers anybody."""
    answer = api.ask("GET", "/livez")
    assert (answer.status_code, answer.text) == (200, "ok")
