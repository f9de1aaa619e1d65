"""A server that is killed at any moment leaves no event undelivered, and a bad receiver holds up nobody."""

from __future__ import annotations

import http.client
import random
import threading
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select, update
from tests.asking import ask
from tests.receiver import SECRET, broken, endless, receiving, status, stuck
from tests.running import program, serving, settings_in

from scriba.bootstrap import open_services
from scriba.delivery.draft import Draft
from scriba.storage.model import COMMAND_LINE, LogId, LogName, Role
from scriba.storage.tables import logs, records, webhook_deliveries

if TYPE_CHECKING:
    from pathlib import Path

    from tests.receiver import Receiver

KILLS: Final = 10
TOML: Final = """
[webhooks]
allowed_networks = ["127.0.0.0/8"]
allow_http = true
allowed_ports = []
[providers.sandbox]
enabled = true
"""
ASKED: Final = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "Hello"}]}


def make_tenant(folder: Path, receiver: Receiver) -> str:
    """Make an organisation with an endpoint, before any server runs; returns a key of role `app`."""
    services = open_services(settings_in(folder, TOML))
    org_id = services.control.create_organisation("demo", actor=COMMAND_LINE).id
    _, app = services.control.create_key(org_id, role=Role.APP, actor=COMMAND_LINE)
    draft = Draft(url=receiver.url, filters=("governance.request.*",), secret=SECRET)
    services.webhooks.endpoints.create(org_id, draft, actor=COMMAND_LINE)
    services.store.database.close()
    return app


def ask_until_gone(url: str, key: str) -> None:
    """Send requests until the server has been killed."""
    with suppress(OSError, http.client.HTTPException):
        while True:
            ask(url, key, ASKED)
            threading.Event().wait(0.02)


def decided(folder: Path) -> set[str]:
    """Return the request ids of all decisions that are in the log of the demo organisation."""
    services = open_services(settings_in(folder, TOML))
    log = LogId(services.control.find_organisation("demo").id, LogName.REQUESTS)
    query = (
        select(records.c.request_id)
        .join(logs, logs.c.id == records.c.log_id)
        .where(logs.c.org_id == log.org_id, logs.c.log == log.log.value, records.c.type == "decision")
    )
    with services.store.database.read() as connection:
        found = {row.request_id for row in connection.execute(query)}
    services.store.database.close()
    return found


def end_leases(folder: Path) -> None:
    """Let the time pass for which the processes that were killed had leased their attempts."""
    services = open_services(settings_in(folder, TOML))
    with services.store.database.write() as connection:
        connection.execute(update(webhook_deliveries).values(leased_until=0))
    services.store.database.close()


def doubles(folder: Path) -> int:
    """Count records that have more than one delivery."""
    services = open_services(settings_in(folder, TOML))
    query = (
        select(func.count())
        .select_from(webhook_deliveries)
        .group_by(webhook_deliveries.c.endpoint_id, webhook_deliveries.c.log_id, webhook_deliveries.c.seq)
        .having(func.count() > 1)
    )
    with services.store.database.read() as connection:
        found = len(connection.execute(query).all())
    services.store.database.close()
    return found


def test_kill_at_random_moments_while_events_are_sent(tmp_path: Path) -> None:
    """Promise: kill -9 at any moment, and every event in the log arrives at least once, none with two rows."""
    moments = random.Random(2727)
    with receiving() as receiver:
        key = make_tenant(tmp_path, receiver)
        for _ in range(KILLS):
            with program(tmp_path) as server:
                threading.Timer(moments.uniform(0.2, 1.6), server.process.kill).start()
                ask_until_gone(server.url, key)
                server.process.wait()
        expected = decided(tmp_path)
        assert len(expected) > KILLS
        end_leases(tmp_path)
        with program(tmp_path):
            arrived = _arrived(receiver, expected)
        assert arrived == expected
        assert receiver.refused == []
    assert doubles(tmp_path) == 0
    events: Counter[str] = Counter(got.json["data"]["requestId"] for got in receiver.processed)
    assert set(events.values()) == {1}


def _arrived(receiver: Receiver, expected: set[str]) -> set[str]:
    """Wait until everything has arrived."""
    for _ in range(60 * 10):
        arrived = {got.json["data"]["requestId"] for got in list(receiver.processed)}
        if expected <= arrived:
            return arrived
        threading.Event().wait(0.1)
    return {got.json["data"]["requestId"] for got in receiver.processed}


def test_bad_receivers_hold_up_neither_the_gateway_nor_others(tmp_path: Path) -> None:
    """Promise: while one receiver never answers, one fails, one breaks off and one never ends, a good one gets all.

    The silent one holds its requests for longer than everything here takes: if anything waited for it, it would not
    come to its end.
    """
    count = 30
    with receiving() as receiver, serving(settings_in(tmp_path, TOML)) as server:
        bad: dict[str, Any] = {"/stuck": stuck(), "/fails": status(500), "/broken": broken(), "/endless": endless()}
        receiver.modes.update(bad)
        tenant = server.tenant()
        _, admin = server.services.control.create_key(tenant.id, role=Role.ADMIN, actor=COMMAND_LINE)
        for path in (*bad, "/good"):
            body = {
                "url": receiver.url.replace("/hook", path),
                "events": ["governance.request.*"],
                "secret": SECRET,
            }
            assert ask(server.url, admin, body, path="/webhooks").status == 201
        answered = [ask(server.url, tenant.app, ASKED).status for _ in range(count)]
        assert answered == [200] * count
        good = receiver.wait_for(count, "/good")
        assert len({got.json["id"] for got in good}) == count
        assert sum(got.path == "/stuck" for got in receiver.came) <= 8
        assert receiver.wait_for_requests(count, "/fails")
        assert not any(got.path == "/stuck" for got in receiver.processed)
