"""Whoever is refused is written down, and a flood of refusals does not flood the log."""

from __future__ import annotations

import http.client
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec
import pytest
from sqlalchemy import select
from tests.asking import PATH, ask

from scriba import metrics
from scriba.access_failures import MAX_ADDRESSES, MAX_TALLIES, AccessFailures, Cause
from scriba.auth import KeyEnded, Principal
from scriba.domain.record import Event, Hidden
from scriba.errors import InvalidInput, StoreUnreachable, Unauthenticated
from scriba.storage.model import COMMAND_LINE, ApiKey, LogName, Role
from scriba.storage.rows import COLUMNS, stored_of
from scriba.storage.tables import logs, records

if TYPE_CHECKING:
    from tests.running import Running
    from tests.stores import OpenStore

FLOOD: Final = 1500
READ: Final = "/governance/audit-logs?limit=1"
KEY: Final = ApiKey(
    id="key_gone",
    org_id="org_none",
    name="",
    role=Role.APP,
    sha256=b"",
    last4="",
    policy_slot=None,
    allowed_slots=(),
    tags=(),
    created_at=0,
    expires_at=None,
    revoked_at=1,
)


def events(server: Running, org_id: str) -> list[tuple[str, dict[str, Any], Hidden]]:
    """Return the events about refusals in an `admin` log, each with what it says and its hidden part."""
    query = (
        select(*(records.c[name] for name in COLUMNS))
        .join(logs, logs.c.id == records.c.log_id)
        .where(logs.c.org_id == org_id, logs.c.log == LogName.ADMIN.value)
        .order_by(records.c.seq)
    )
    with server.services.store.database.read() as connection:
        found = [stored_of(row, org_id).record for row in connection.execute(query)]
    return [
        (event.action, event.detail, event.hidden)
        for event in found
        if isinstance(event, Event) and event.action.endswith(".refused")
    ]


class Flood(NamedTuple):
    """The same request again and again."""

    times: int
    method: str
    path: str
    key: str
    body: str | None = None


def send(server: Running, flood: Flood) -> None:
    """Send a flood over one connection."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    headers = {"Authorization": f"Bearer {flood.key}", "Content-Type": "application/json"}
    for _ in range(flood.times):
        connection.request(flood.method, flood.path, flood.body, headers)
        connection.getresponse().read()
    connection.close()


def test_a_flood_costs_a_record_for_each_key_and_cause(server: Running) -> None:
    """Thousands of refusals at both doors, of several keys at once: exact counts, and few records."""
    tenant, other = server.tenant(), server.tenant()
    server.services.access_failures.flush()
    before = sum(detail["count"] for _, detail, _ in events(server, ""))
    revoked, revoked_key = server.services.control.create_key(tenant.id, role=Role.ADMIN, actor=COMMAND_LINE)
    server.services.control.revoke_key(tenant.id, revoked.id, actor=COMMAND_LINE)
    work = [
        Flood(FLOOD, "POST", PATH, tenant.auditor, "{}"),
        Flood(FLOOD, "POST", PATH, tenant.app, "{]"),
        Flood(FLOOD, "POST", PATH, other.app, "{}"),
        Flood(FLOOD // 3, "GET", READ, tenant.app),
        Flood(FLOOD // 3, "GET", READ, revoked_key),
        Flood(FLOOD // 3, "GET", READ, "sk_scriba_unknown"),
        Flood(FLOOD // 3, "POST", PATH, "sk_scriba_other", "{}"),
    ]
    threads = [threading.Thread(target=send, args=(server, part)) for part in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    server.services.access_failures.flush()
    found = events(server, tenant.id)
    counted = {(action, hidden.actor, detail["cause"]): detail["count"] for action, detail, hidden in found}
    assert len(found) == len(counted)
    ids = {key: server.services.authenticator.identify(key).key_id for key in (tenant.app, tenant.auditor, other.app)}
    assert counted == {
        ("access.refused", ids[tenant.auditor], Cause.ROLE): FLOOD,
        ("request.refused", ids[tenant.app], Cause.MALFORMED): FLOOD,
        ("access.refused", ids[tenant.app], Cause.ROLE): FLOOD // 3,
        ("access.refused", revoked.id, Cause.REVOKED): FLOOD // 3,
    }
    assert [detail["count"] for _, detail, _ in events(server, other.id)] == [FLOOD]
    ours = events(server, "")
    assert sum(detail["count"] for _, detail, _ in ours) - before == 2 * (FLOOD // 3)
    action, detail, hidden = ours[-1]
    assert (action, detail["cause"], hidden.ip_address) == ("access.refused", Cause.UNKNOWN, "127.0.0.1")
    assert detail["first"] <= detail["last"]


@pytest.mark.parametrize(
    ("body", "headers", "cause"),
    [
        (b"{", (), Cause.MALFORMED),
        ({"messages": []}, (), Cause.NO_MODEL),
        ({"model": "gpt-4o", "models": ["x"]}, (), Cause.INVALID),
        (b"{}", [("Content-Type", "text/plain")], Cause.MEDIA),
        (b"{}", [("Content-Length", "999999999999")], Cause.TOO_LARGE),
        ({"model": "gpt-4o"}, [("X-Policy-Slot", "7")], Cause.NOT_ALLOWED),
    ],
)
def test_causes(server: Running, body: object, headers: list[tuple[str, str]], cause: Cause) -> None:
    """What was wrong with the input of a good key has a name of its own."""
    tenant = server.tenant()
    if cause is Cause.TOO_LARGE:
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)
        connection.request("POST", PATH, headers={"Authorization": f"Bearer {tenant.app}", **dict(headers)})
        assert connection.getresponse().status == 413
        connection.close()
    else:
        assert 400 <= ask(server.url, tenant.app, body, headers).status < 500
    server.services.access_failures.flush()
    assert [detail["cause"] for _, detail, _ in events(server, tenant.id)] == [cause]


def test_signing_in_to_the_console(server: Running) -> None:
    """Promise: who tries keys or login links at the console is recorded like at the API, and bounded like there."""
    server.services.access_failures.flush()
    tenant = server.tenant()
    before = len(events(server, ""))
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    for number in range(MAX_ADDRESSES + 2):
        assert ask(server.url, "", f"key=sk_wrong_{number}".encode(), form, path="/login").status == 401
        assert ask(server.url, "", b"", method="GET", path=f"/login/nothing{number}").status == 401
    assert ask(server.url, "", f"key={tenant.app}".encode(), form, path="/login").status == 403
    link = server.services.sessions.link(next(iter(server.services.control.keys_of(tenant.id)[1:])).id)
    assert ask(server.url, "", b"", method="GET", path=f"/login/{link}").status == 303
    assert ask(server.url, "", b"", method="GET", path=f"/login/{link}").status == 401
    server.services.access_failures.flush()
    found = {detail["cause"]: detail["count"] for _, detail, _ in events(server, "")[before:]}
    assert found == {Cause.UNKNOWN: MAX_ADDRESSES + 2, Cause.LINK: MAX_ADDRESSES + 3}
    of_tenant = [detail["cause"] for action, detail, _ in events(server, tenant.id) if action == "access.refused"]
    assert of_tenant == [Cause.ROLE]


def test_what_is_no_refusal(server: Running) -> None:
    """A policy's refusal is an entry, a missing id or a query's slip nobody's failure, and no key nobody's key."""
    tenant = server.tenant({"blockChinaProviders": True, "enforcement": "hard_block"})
    server.services.access_failures.flush()
    before = len(events(server, ""))
    assert ask(server.url, tenant.app, {"model": "deepseek-chat"}).status == 403
    for path in ("/governance/audit-logs/audit_none", "/governance/audit-logs?limit=x"):
        assert ask(server.url, tenant.auditor, b"", method="GET", path=path).status in {400, 404}
    assert ask(server.url, "", {"model": "gpt-4o"}).status == 401
    server.services.access_failures.flush()
    assert events(server, tenant.id) == []
    assert len(events(server, "")) == before


def noted(failures: AccessFailures) -> int:
    """Return how many counts are kept."""
    return len(failures._tallies)


def test_memory_is_bounded(sqlite_store: OpenStore) -> None:
    """However many keys are refused from however many addresses, what is kept stays small."""
    failures = AccessFailures(sqlite_store.store.database, sqlite_store.store.hot)
    for number in range(MAX_TALLIES + 500):
        key = msgspec.structs.replace(KEY, id=f"key_{number}")
        failures.note(KeyEnded(key, is_expired=False), "192.0.2.1")
    assert noted(failures) == MAX_TALLIES + 1
    for number in range(100):
        failures.note(Unauthenticated("unknown"), f"192.0.2.{number}")
    assert max(len(tally.addresses) for tally in failures._tallies.values()) == MAX_ADDRESSES
    assert sum(tally.count for tally in failures._tallies.values()) == MAX_TALLIES + 600


def test_nothing_is_lost_while_the_database_is_away(sqlite_store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written is written later, with all that came meanwhile."""
    failures = AccessFailures(sqlite_store.store.database, sqlite_store.store.hot)
    failures.note(Unauthenticated("unknown"), "192.0.2.1")

    def unreachable() -> None:
        raise StoreUnreachable("The database cannot be used.")

    with monkeypatch.context() as patch:
        patch.setattr(sqlite_store.store.database, "write", unreachable)
        failures.flush()
    failures.note(Unauthenticated("unknown"), "192.0.2.2")
    (tally,) = failures._tallies.values()
    assert (tally.count, list(tally.addresses)) == (2, ["192.0.2.1", "192.0.2.2"])
    failures.flush()
    assert noted(failures) == 0


def test_refusals_are_counted_for_prometheus(sqlite_store: OpenStore) -> None:
    """Each by its cause, those without any key as well."""
    failures = AccessFailures(sqlite_store.store.database, sqlite_store.store.hot)
    principal = Principal(
        key_id="key_1", org_id="org_1", org_name="one", role=Role.APP, policy_slot=None, allowed_slots=(), tags=()
    )
    before = metrics.exposition().decode()
    failures.note(InvalidInput("wrong", param="body"), "", principal)
    failures.note(InvalidInput("wrong", param="body"), "")  # whose key it was is not known
    after = metrics.exposition().decode()
    name = 'scriba_input_refusals_total{cause="malformed_body"} '
    assert value(after, name) == value(before, name) + 1


def value(text: str, name: str) -> float:
    """Return the value of one line of the exposition; 0 if it is not there."""
    return next((float(line.removeprefix(name)) for line in text.splitlines() if line.startswith(name)), 0.0)
