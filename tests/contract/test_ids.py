"""Ids that cannot be any, on the database that would not even look for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.asking import ask
from tests.routes import Asked
from tests.running import serving, settings_in

from scriba.api.access import ACCESS
from scriba.storage.model import COMMAND_LINE, Role
from scriba.storage.private_files import make_secret

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stores import PostgresServer

ROUTES = [route for route in (Asked(*key) for key in sorted(ACCESS)) if route.parameters]


def test_an_id_with_a_control_character_is_not_found(postgres: PostgresServer, tmp_path: Path) -> None:
    """Promise: whatever stands where an id is expected, the answer is 404 and nothing fails inside."""
    settings = settings_in(tmp_path, f'database_url = "{postgres.new_database()}"')
    settings.data_dir.mkdir()
    make_secret(settings.data_dir / "deployment.secret")
    with serving(settings) as server:
        control = server.services.control
        org = control.create_organisation("acme", actor=COMMAND_LINE)
        _, key = control.create_key(org.id, role=Role.ADMIN, actor=COMMAND_LINE)
        found = {}
        for route in ROUTES:
            for id_ in ("gpol_%00", "gpol_%1F", "gpol_%ED%A0%80"):
                body: object = {} if route.method in {"PATCH", "POST"} else b""
                path = route.at(**dict.fromkeys(route.parameters, id_))
                found[route, id_] = ask(server.url, key, body, method=route.method, path=path).status
    assert set(found.values()) == {404}, found
