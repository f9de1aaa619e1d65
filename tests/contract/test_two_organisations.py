"""What belongs to another organisation does not exist: every route that takes an id, found in the program itself."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.asking import CHAT, Answered, ask
from tests.receiver import receiving
from tests.routes import Asked
from tests.running import serving, settings_in

from scriba.api.access import ACCESS
from scriba.storage.model import COMMAND_LINE, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.receiver import Receiver
    from tests.running import Running


LOG_ID: Final = re.compile(r"req_[0-9a-z]{26}")


class Owner:
    """An organisation with its keys, and what it has."""

    def __init__(self, server: Running, name: str, receiver: Receiver) -> None:
        self.receiver = receiver
        control = server.services.control
        self.server = server
        self.org_id = control.create_organisation(name, actor=COMMAND_LINE).id
        self.keys = {role: control.create_key(self.org_id, role=role, actor=COMMAND_LINE)[1] for role in Role}

    def post(self, path: str, body: object) -> dict[str, Any]:
        """Make something as admin and return the answer."""
        answer = ask(self.server.url, self.keys[Role.ADMIN], body, path=path)
        assert answer.status in {200, 201}, answer.body
        document: dict[str, Any] = json.loads(answer.body)
        return document

    def get(self, path: str) -> dict[str, Any]:
        """Read something as admin."""
        answer = ask(self.server.url, self.keys[Role.ADMIN], b"", method="GET", path=path)
        assert answer.status == 200, answer.body
        document: dict[str, Any] = json.loads(answer.body)
        return document


def an_entry(owner: Owner) -> str:
    """Make an entry."""
    answer = ask(owner.server.url, owner.keys[Role.APP], {**CHAT, "model": "sandbox/echo"})
    return answer.headers["x-audit-id"]


def an_endpoint(owner: Owner) -> str:
    """Make an endpoint of webhooks."""
    body = {"url": owner.receiver.url, "eventTypeFilters": ["governance.request.*"]}
    found: str = owner.post("/webhooks/v1/endpoints", body)["endpoint"]["id"]
    return found


def a_delivery(owner: Owner) -> str:
    """Make an endpoint and an entry that it is told of."""
    path = f"/webhooks/v1/deliveries?endpoint_id={an_endpoint(owner)}"
    an_entry(owner)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if deliveries := owner.get(path)["deliveries"]:
            found: str = deliveries[0]["id"]
            return found
        time.sleep(0.02)
    raise AssertionError("nothing was delivered")


def a_hold(owner: Owner) -> str:
    """Make a legal hold."""
    found: str = owner.post("/governance/holds", {"name": "Case 1", "reason": "A lawsuit"})["id"]
    return found


MAKE: Final[dict[str, Callable[[Owner], str]]] = {
    "/governance/audit-logs/": an_entry,
    "/governance/reports/": lambda owner: owner.get("/governance/reports")["report"]["id"],
    "/governance/": lambda owner: owner.post("/governance", {"name": "P", "rules": {"enforcement": "warn"}})["id"],
    "/governance/holds/": a_hold,
    "/webhooks/v1/deliveries/": a_delivery,
    "/webhooks/v1/endpoints/": an_endpoint,
}
"""How something is made whose id a route takes, by how the path begins; the longest that fits counts."""

OF_ALL: Final = {"/v1/models/{id}", "/llm/v1/models/{id}"}
"""Routes whose parameter names something that belongs to nobody."""

ALL: Final = [Asked(*route) for route in sorted(ACCESS)]
ROUTES: Final = [route for route in ALL if route.parameters and route.path not in OF_ALL]


@pytest.fixture(scope="module")
def owners(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Owner, Owner]]:
    """Make two organisations on a server that may send to this machine."""
    toml = """
    [webhooks]
    allowed_networks = ["127.0.0.0/8"]
    allow_http = true
    allowed_ports = []
    [providers.sandbox]
    enabled = true
    """
    with receiving() as receiver, serving(settings_in(tmp_path_factory.mktemp("two"), toml)) as server:
        yield Owner(server, "the-owner", receiver), Owner(server, "the-stranger", receiver)


def maker(route: Asked) -> Callable[[Owner], str]:
    """Return what makes something for this route; a new resource needs a line in `MAKE`."""
    fitting = [prefix for prefix in MAKE if route.path.startswith(prefix)]
    assert fitting, f"say in MAKE how to make what {route.path} takes"
    return MAKE[max(fitting, key=len)]


def missing(id_: str) -> str:
    """Return an id of the same kind that nothing has."""
    return id_[:-26] + "01" + "0" * 23 + "7"


def call(owner: Owner, route: Asked, id_: str) -> Answered:
    """Ask for an id with a good key and a body that is good where any would be."""
    path = route.at(**dict.fromkeys(route.parameters, id_))
    body: object = {} if route.method in {"PATCH", "POST", "PUT"} else b""
    return ask(owner.server.url, owner.keys[Role.ADMIN], body, method=route.method, path=path)


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_an_id_of_another_organisation(owners: tuple[Owner, Owner], route: Asked) -> None:
    """The stranger gets exactly what it gets for an id that does not exist, and the owner still has it."""
    owner, stranger = owners
    id_ = maker(route)(owner)
    nothing = missing(id_)
    theirs, none = call(stranger, route, id_), call(stranger, route, nothing)
    assert (theirs.status, none.status) == (404, 404)
    shown = [
        LOG_ID.sub("req_", answer.body.decode()).replace(one, "ID") for answer, one in ((theirs, id_), (none, nothing))
    ]
    assert shown[0] == shown[1]
    names = [sorted(name.lower() for name in answer.headers) for answer in (theirs, none)]
    assert names[0] == names[1]
    assert call(owner, route, id_).status != 404
