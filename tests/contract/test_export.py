"""Exports over a real connection."""

from __future__ import annotations

import http.client
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update
from tests.asking import ask
from tests.stores import a_decision

from scriba.audit.export import json_chunks
from scriba.audit.query import AuditLog
from scriba.audit.table import csv_chunks
from scriba.storage.hot import pending
from scriba.storage.model import LogId, LogName
from scriba.storage.tables import records

if TYPE_CHECKING:
    from tests.running import Running, Tenant
    from tests.stores import OpenStore

    from scriba.storage.store import Store


def fill(store: Store, org_id: str, count: int) -> list[str]:
    """Append decisions; returns their ids, oldest first."""
    made = [a_decision(org_id) for _ in range(count)]
    with store.database.write() as connection:
        store.hot.append(connection, [pending(LogId(org_id, LogName.REQUESTS), decision) for decision in made])
    return [decision.id for decision in made]


def export(server: Running, tenant: Tenant, kind: str) -> bytes:
    """Read a whole file."""
    answer = ask(server.url, tenant.auditor, b"", method="GET", path=f"/governance/audit-logs?format={kind}")
    assert answer.status == 200
    return answer.body


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_stream_that_fails_breaks_the_connection(
    server: Running, kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that was cut off never looks whole, and the operator finds out why."""
    monkeypatch.setattr("scriba.audit.query._CHUNK", 10)
    tenant = server.tenant()
    store = server.services.store
    first, *others = fill(store, tenant.id, 50)
    assert all(entry_id.encode() in export(server, tenant, kind) for entry_id in others)
    with store.database.write() as connection:
        connection.execute(update(records).where(records.c.id == first).values(violation_reasons="broken"))
    with pytest.raises(http.client.IncompleteRead) as caught:
        export(server, tenant, kind)
    assert others[-1].encode() in caught.value.partial
    assert first.encode() not in caught.value.partial
    assert "Record 1 of the log 'requests'" in caplog.text


def test_a_failure_before_the_first_byte_is_an_answer(server: Running, caplog: pytest.LogCaptureFixture) -> None:
    """What is known to fail at once is a 500, not a broken file."""
    tenant = server.tenant()
    store = server.services.store
    [only] = fill(store, tenant.id, 1)
    with store.database.write() as connection:
        connection.execute(update(records).where(records.c.id == only).values(violation_reasons="broken"))
    answer = ask(server.url, tenant.auditor, b"", method="GET", path="/governance/audit-logs?format=csv")
    assert (answer.status, answer.error["code"]) == (500, "integrity_failed")
    assert answer.error["requestId"] in caplog.text


def test_constant_memory(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times as many entries take no more memory to export, in either format and on either database."""
    monkeypatch.setattr("scriba.audit.query._CHUNK", 50)
    audit_log, org_id = AuditLog(store.store.database), store.organisation.id

    def peak() -> int:
        tracemalloc.start()
        lines = sum(chunk.count(b"\n") for chunk in csv_chunks(audit_log.export(org_id).chunks))
        entries = sum(chunk.count(b'{"id":') for chunk in json_chunks(audit_log.export(org_id)))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert lines - 1 == entries == audit_log.count(org_id)
        return most

    fill(store.store, org_id, 150)
    peak()  # what is made once is made now
    few = peak()
    fill(store.store, org_id, 1350)
    assert peak() < few * 1.5
