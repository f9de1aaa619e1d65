"""The API over a store in a file, without a server around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from starlette.testclient import TestClient
from tests.running import settings_in
from tests.stores import a_decision

from scriba.api.app import create_api
from scriba.bootstrap import open_services
from scriba.storage.hot import pending
from scriba.storage.model import COMMAND_LINE, LogId, LogName, Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpx2 import Response

    from scriba.domain.record import Decision, Record
    from scriba.services import Services


class Tenant(NamedTuple):
    """An organisation with a key of every role, by role."""

    id: str
    keys: dict[Role, str]


class Api:
    """The application and what it works with."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.app = create_api(services)
        self.client = TestClient(self.app)
        self._count = 0

    def tenant(self) -> Tenant:
        """Make an organisation with keys."""
        self._count += 1
        control = self.services.control
        org = control.create_organisation(f"tenant-{self._count}", actor=COMMAND_LINE)
        made = {role: control.create_key(org.id, role=role, actor=COMMAND_LINE)[1] for role in Role}
        return Tenant(org.id, made)

    def append(self, org_id: str, *records: Record, log: LogName = LogName.REQUESTS) -> None:
        """Append records to a log of the organisation."""
        store = self.services.store
        with store.database.write() as connection:
            store.hot.append(connection, [pending(LogId(org_id, log), record) for record in records])

    def decide(self, org_id: str, **fields: Any) -> Decision:
        """Append one decision."""
        decision = a_decision(org_id, **fields)
        self.append(org_id, decision)
        return decision

    def ask(self, method: str, path: str, key: str = "", **options: Any) -> Response:
        """Send one request."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return self.client.request(method, path, headers={**headers, **options.pop("headers", {})}, **options)


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Open the API for this test process; each test makes a tenant of its own."""
    services = open_services(settings_in(tmp_path_factory.mktemp("api"), "max_body_bytes = 65536"))
    yield Api(services)
    services.store.database.close()


@pytest.fixture
def tenant(api: Api) -> Tenant:
    """Make a new organisation."""
    return api.tenant()


@pytest.fixture
def auditor(tenant: Tenant) -> str:
    """Return its key of role `auditor`."""
    return tenant.keys[Role.AUDITOR]


@pytest.fixture
def admin(tenant: Tenant) -> str:
    """Return its key of role `admin`."""
    return tenant.keys[Role.ADMIN]
