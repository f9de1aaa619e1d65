"""Logs that are verified by themselves, and who hears of what is found, on both databases."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update
from tests.ageing import Clock, decide
from tests.asking import ask
from tests.receiver import receiving
from tests.running import serving, settings_in

from scriba.audit import inspection
from scriba.audit.inspection import FAILED, Inspection
from scriba.domain.record import Event
from scriba.storage.model import COMMAND_LINE, LogId, LogName, Role
from scriba.storage.rows import COLUMNS, stored_of
from scriba.storage.tables import logs, records, verifications

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stores import OpenStore

HOUR = 1 / 24


@pytest.fixture
def clock(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Rule the time of the store, and have everything read at each verification."""
    clock = Clock(monkeypatch)
    clock.rule(store.store.database)
    monkeypatch.setattr(inspection, "FULL_SECONDS", 0.0)
    monkeypatch.setattr("scriba.audit.verification._FULL_SHARE", 0)
    return clock


def inspect(store: OpenStore) -> Inspection:
    """Make what verifies, as one process has it."""
    return Inspection(store.store, store.control)


def failures(store: OpenStore, org_id: str | None = None) -> list[dict[str, Any]]:
    """Return what the events in a log `admin` say was found."""
    org_id = store.organisation.id if org_id is None else org_id
    query = (
        select(*(records.c[name] for name in COLUMNS))
        .join(logs, logs.c.id == records.c.log_id)
        .where(logs.c.org_id == org_id, logs.c.log == LogName.ADMIN.value)
        .order_by(records.c.seq)
    )
    with store.store.database.read() as connection:
        found = [stored_of(row, org_id).record for row in connection.execute(query)]
    return [record.detail for record in found if isinstance(record, Event) and record.action == FAILED]


def change(store: OpenStore, log: LogId, seq: int, **values: Any) -> None:
    """Change a record behind our back."""
    this = select(logs.c.id).where(logs.c.org_id == log.org_id, logs.c.log == log.log.value).scalar_subquery()
    with store.store.database.write() as connection:
        connection.execute(update(records).where(records.c.log_id == this, records.c.seq == seq).values(**values))


def test_one_of_two_processes_verifies_every_hour(store: OpenStore, clock: Clock) -> None:
    """Promise: each log is verified within the hour by one process, another takes over, and it is known of each log."""
    one, two = inspect(store), inspect(store)
    assert [one.verify_if_due(), two.verify_if_due(), one.verify_if_due()] == [True, False, False]
    clock.pass_days(HOUR)
    assert [two.verify_if_due(), one.verify_if_due(), two.verify_if_due()] == [False, True, False]
    clock.pass_days(2 * HOUR)
    assert [two.verify_if_due(), one.verify_if_due()] == [True, False]
    with store.store.database.read() as connection:
        verified = set(connection.execute(select(verifications.c.log_id)).scalars())
        assert verified == set(connection.execute(select(logs.c.id)).scalars())
    assert failures(store) == failures(store, "") == []


def test_what_is_found_is_told_once(store: OpenStore, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Promise: each finding is one event, however often and by whichever process it is found; a new one is told."""
    decide(store, 4)
    change(store, store.requests, 2, model="changed")
    for one in (inspect(store), inspect(store)):
        assert one.verify_if_due()
        clock.pass_days(1)
        decide(store, 1)
    [told] = failures(store)
    assert (told["log"], told["firstBad"], told["findings"]) == ("requests", 2, 1)
    assert told["message"].startswith("Record 2 was changed")
    change(store, store.requests, 3, model="changed")
    for one in (inspect(store), inspect(store)):
        assert one.verify_if_due()
        clock.pass_days(1)
    assert [told["findings"] for told in failures(store)] == [1, 2]
    assert failures(store)[1]["message"].startswith("Record 3 was changed")
    errors = [record.message for record in caplog.records if record.name == "scriba.integrity"]
    assert len(errors) == 2


def test_a_gap_that_moves_on_is_told_once(store: OpenStore, clock: Clock) -> None:
    """Promise: a lost record is one event, though with each append the log ends elsewhere than its records do."""
    decide(store, 4)
    with store.store.database.write() as connection:
        this = select(logs.c.id).where(logs.c.org_id == store.organisation.id, logs.c.log == "requests")
        connection.execute(records.delete().where(records.c.log_id == this.scalar_subquery(), records.c.seq == 2))
    for _ in range(3):
        assert inspect(store).verify_if_due()
        decide(store, 1)
        clock.pass_days(1)
    assert [told["firstBad"] for told in failures(store)] == [2]


def test_the_log_of_the_deployment(store: OpenStore, clock: Clock) -> None:
    """Promise: the deployment's own log is verified too, and says itself what was found in it."""
    assert clock.now
    change(store, LogId("", LogName.ADMIN), 1, actor="nobody")
    assert inspect(store).verify_if_due()
    assert [told["firstBad"] for told in failures(store, "")] == [1]
    assert failures(store) == []


def test_a_log_that_cannot_be_written_to(store: OpenStore, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Promise: if the event cannot be written, the operator's log says what was found, each time."""
    decide(store, 2)
    change(store, store.requests, 1, model="changed")
    with store.store.database.write() as connection:
        this = (logs.c.org_id == store.organisation.id) & (logs.c.log == "admin")
        connection.execute(update(logs).where(this).values(seal=bytes(32)))
    for _ in range(2):
        caplog.clear()
        assert inspect(store).verify_if_due()
        clock.pass_days(1)
        errors = [record for record in caplog.records if record.name == "scriba.integrity"]
        assert {record.levelno for record in errors} == {logging.ERROR}
        assert any("Record 1 was changed" in record.message for record in errors)


def test_requests_have_most_of_the_process(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: whatever a piece of a verification took, four times as much is left to requests before the next one."""
    one = inspect(store)
    rests: list[float] = []
    monkeypatch.setattr(one.rounds.stopping, "wait", rests.append)
    one._chunk_began = time.monotonic() - 2
    one._rest(1_000, 2_000)
    assert [seconds >= 8 for seconds in rests] == [True]


def test_stopping_in_the_middle(store: OpenStore, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: a process that ends does not finish a verification first, and another one begins it anew at once."""
    assert clock.now
    monkeypatch.setattr("scriba.audit.verification._CHUNK", 1)
    one = inspect(store)
    asyncio.run(one.rounds.stop())
    assert not one.verify_if_due()
    assert inspect(store).verify_if_due()


def test_from_the_database_to_a_receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: a row that is changed in the database of a running server is found, and a webhook tells of it."""
    monkeypatch.setattr(inspection, "_FIRST_SECONDS", 0.1)
    monkeypatch.setattr(inspection, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(inspection, "_EVERY_SECONDS", 0)
    monkeypatch.setattr(inspection, "_OTHERS_WAIT_SECONDS", 0)
    monkeypatch.setattr(inspection, "FULL_SECONDS", 0.0)
    monkeypatch.setattr("scriba.audit.verification._FULL_SHARE", 0)
    toml = """
    [webhooks]
    allowed_networks = ["127.0.0.0/8"]
    allow_http = true
    allowed_ports = []
    [providers.sandbox]
    enabled = true
    """
    settings = settings_in(tmp_path, toml)
    with receiving() as receiver, serving(settings) as server:
        tenant = server.tenant()
        _, admin = server.services.control.create_key(tenant.id, role=Role.ADMIN, actor=COMMAND_LINE)
        wanted = {"url": receiver.url, "events": ["governance.integrity.*"], "secret": receiver.secrets[0]}
        assert ask(server.url, admin, wanted, path="/webhooks").status == 201
        chat = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "Hello"}]}
        answer = ask(server.url, tenant.app, chat)
        with sqlite3.connect(tmp_path / "data" / "scriba.db", timeout=30) as database:
            database.execute("UPDATE records SET model = 'forged' WHERE id = ?", (answer.headers["X-Audit-Id"],))
        database.close()
        [got] = receiver.wait_for(1)
    assert got.json["type"] == "governance.integrity.failed"
    assert (got.json["data"]["log"], got.json["data"]["firstBad"]) == ("requests", 1)
    assert got.json["data"]["message"].startswith("Record 1 was changed")
