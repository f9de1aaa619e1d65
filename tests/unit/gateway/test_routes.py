"""Nothing reaches a provider but by way of the enforcement point: not by any route, nor by any module."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from starlette.routing import BaseRoute, Mount, Route
from tests.asking import CHAT, ask

import scriba
from scriba.gateway.routes import ROUTES
from scriba.storage.appender import Appender
from scriba.storage.model import COMMAND_LINE, Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.provider import Provider
    from tests.running import Running

SOURCES = Path(scriba.__file__).parent
ENDLESS = {("GET", "/governance/audit-logs/stream")}
"""Answers that do not end: this one reads the log, and would be waited for."""

NO_OPENAI = {"providerAllowlist": ["mistral"], "enforcement": "hard_block"}


def _api_routes(routes: Iterable[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    """List method and path of every route, with made-up values for the parameters."""
    for route in routes:
        if isinstance(route, Route):
            path = re.sub(r"\{[^}]+\}", "made-up", prefix + route.path)
            yield from ((method, path) for method in sorted(route.methods or {"GET"}))
        elif isinstance(route, Mount):
            yield from _api_routes(route.routes, prefix + route.path)
        else:
            yield from _api_routes(_included(route), prefix)


def _included(route: BaseRoute) -> list[BaseRoute]:
    """Look into what FastAPI makes of an included router; a kind of route that is not known fails here."""
    routes: list[BaseRoute] = route.original_router.routes  # type: ignore[attr-defined]  # not a public class
    return routes


def _all_routes(server: Running) -> set[tuple[str, str]]:
    api = set(_api_routes(server.application.api.routes))
    assert ("GET", "/governance/audit-logs") in api  # the list is not empty by mistake
    return (api | set(ROUTES)) - ENDLESS


def _keys(server: Running, org_id: str) -> list[str]:
    create = server.services.control.create_key
    return [create(org_id, role=role, actor=COMMAND_LINE)[1] for role in (Role.APP, Role.AUDITOR, Role.ADMIN)]


def test_no_route_forwards_what_policy_refuses(server: Running, provider: Provider) -> None:
    """Asked for a refused model with every kind of key, no route reaches a provider; the gateway's write an entry."""
    tenant = server.tenant(NO_OPENAI)
    for method, path in sorted(_all_routes(server)):
        for key in _keys(server, tenant.id):
            before = len(server.decisions(tenant.id))
            answer = ask(server.url, key, CHAT, method=method, path=path)
            assert provider.received == [], f"{method} {path} reached the provider"
            if (method, path) in ROUTES and answer.status == 403 and answer.error["type"] == "policy_violation":
                assert len(server.decisions(tenant.id)) == before + 1
    allowed_in = [entry for entry in server.decisions(tenant.id) if entry.allowed]
    assert allowed_in == []
    assert len(server.decisions(tenant.id)) == 2 * len(ROUTES)  # by the app's and by the admin's key


def test_no_route_forwards_what_cannot_be_logged(
    server: Running, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for an allowed model while nothing can be appended, no route reaches a provider."""
    tenant = server.tenant()

    async def broken(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr(Appender, "append", broken)
    for method, path in sorted(_all_routes(server)):
        for key in _keys(server, tenant.id):
            ask(server.url, key, CHAT, method=method, path=path)
            assert provider.received == [], f"{method} {path} reached the provider"


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCES.rglob("*.py")):
        yield path.relative_to(SOURCES).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def _imports(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_only_one_module_can_talk_to_a_provider() -> None:
    """Clients of HTTP are imported where the way leads through a ruling, and where only ourselves are asked."""
    clients = ("aiohttp", "http.client", "httpx", "pyreqwest", "requests", "urllib.request", "urllib3", "socket")
    allowed = {"gateway/upstream.py", "server.py", "cli/checks.py"}  # the last two ask the own port
    users = {
        name
        for name, tree in _modules()
        if any(module == client or module.startswith(f"{client}.") for module in _imports(tree) for client in clients)
    }
    users = {name for name in users if not name.startswith("delivery/")}  # events go out there, never a request
    assert users <= allowed
    assert "gateway/upstream.py" in users


@pytest.mark.parametrize(
    ("name", "home"),
    [("Ruling", "gateway/enforcement.py"), ("Forwarding", "gateway/proxy.py"), ("Call", "gateway/proxy.py")],
)
def test_each_step_is_made_in_one_place(name: str, home: str) -> None:
    """Only the enforcement point makes rulings, and only what holds one makes calls."""
    places = [
        module
        for module, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]
    assert places == [home]


def test_the_way_to_a_provider_asks_for_a_ruling() -> None:
    """The one function that makes a call takes a ruling and is used once, where the ruling was made and allows it."""
    (proxy,) = (tree for module, tree in _modules() if module == "gateway/proxy.py")
    functions: dict[str, Any] = {node.name: node for node in ast.walk(proxy) if isinstance(node, ast.AsyncFunctionDef)}
    annotations = {
        ast.unparse(argument.annotation) for argument in functions["_forward"].args.args if argument.annotation
    }
    assert "Ruling" in annotations
    uses = [node for node in ast.walk(proxy) if isinstance(node, ast.Attribute) and node.attr == "_forward"]
    assert len(uses) == 1
    (branch,) = (node for node in ast.walk(functions["_serve"]) if isinstance(node, ast.If))
    assert ast.unparse(branch.test) == "ruling.decision.allowed"
    assert "_forward" in ast.unparse(branch.body[0])
