"""Verifying stored logs, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, insert, select, update
from tests.stores import a_decision

from scriba.audit.verification import Verifier, verify_log
from scriba.domain.record import Outcome
from scriba.errors import NotFound
from scriba.storage.hot import pending
from scriba.storage.model import LogId, LogName
from scriba.storage.tables import logs, records

if TYPE_CHECKING:
    from tests.stores import OpenStore

    from scriba.ledger.verifier import Verification


def append(store: OpenStore, count: int) -> None:
    """Append decisions with their outcomes."""
    log = store.requests
    for _ in range(count):
        with store.store.database.write() as connection:
            [placed] = store.store.hot.append(connection, [pending(log, a_decision(log.org_id))])
            assert placed is not None
            outcome = Outcome(decision=placed.seq, status=200, duration_ms=1, ended="complete")
            store.store.hot.append(connection, [pending(log, outcome)])


def verify(store: OpenStore, **options: Any) -> Verification:
    """Verify the log `requests` of the organisation, all of it."""
    return verify_log(store.store.database, store.store.keyring, store.requests, **options)


def change(store: OpenStore, seq: int, **values: Any) -> None:
    """Change a record of the log `requests` behind our back."""
    with store.store.database.write() as connection:
        connection.execute(update(records).where(of_requests(store), records.c.seq == seq).values(**values))


def of_requests(store: OpenStore) -> Any:
    """Return the condition that picks the records of the log `requests`."""
    log = store.requests
    this = select(logs.c.id).where(logs.c.org_id == log.org_id, logs.c.log == log.log.value).scalar_subquery()
    return records.c.log_id == this


def verifier(store: OpenStore, **options: Any) -> Verifier:
    """Make what verifies again and again."""
    return Verifier(store.store.database, store.store.keyring, **options)


def requests(checked: Verifier, store: OpenStore) -> Verification:
    """Verify the organisation and return the result for its log `requests`."""
    return checked.verify(store.organisation.id)["requests"]


def test_sound_logs(store: OpenStore) -> None:
    """Logs that nobody touched verify, each with all its records and its root."""
    append(store, 3)
    result = verify(store)
    assert (result.ok, result.records) == (True, 7)
    found = verifier(store).verify(store.organisation.id)
    assert {name: result.ok for name, result in found.items()} == {name.value: True for name in LogName}
    assert found["requests"] == result
    assert found["imports"].records == 1
    deployment = verify_log(store.store.database, store.store.keyring, LogId("", LogName.ADMIN))
    assert deployment.ok


def test_progress(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits hears how far it came, up to the end."""
    monkeypatch.setattr("scriba.audit.verification._CHUNK", 2)
    append(store, 2)
    told: list[tuple[int, int]] = []
    verify(store, progress=lambda done, size: told.append((done, size)))
    assert told == [(2, 5), (4, 5), (5, 5)]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"model": "gpt-5"}, "record"),
        ({"allowed": False}, "record"),
        ({"provider": None}, "record"),
        ({"user_agent": None}, "record"),
        ({"violation_reasons": "broken"}, "record"),
        ({"salt": b"short"}, "salt"),
        ({"leaf_hash": bytes(32)}, "record"),
    ],
)
def test_a_changed_record(store: OpenStore, values: dict[str, Any], field: str) -> None:
    """A record that was changed is named."""
    append(store, 3)
    change(store, 3, **values)
    result = verify(store)
    assert (result.ok, result.first_bad) == (False, 3)
    assert field in {finding.field for finding in result.findings}


@pytest.mark.parametrize(
    ("seq", "values"),
    [
        (1, {"timestamp": 1}),
        (2, {"timestamp": 1}),
        (2, {"id": "audit_forged"}),
        (2, {"decision_seq": 3}),
        (2, {"decision_seq": None}),
        (2, {"type": "mark"}),
    ],
)
def test_a_misfiled_record(store: OpenStore, seq: int, values: dict[str, Any]) -> None:
    """A record that is whole but filed where nobody would find it is named."""
    append(store, 2)
    change(store, seq, **values)
    result = verify(store)
    assert (result.ok, result.first_bad) == (False, seq)
    assert {finding.field for finding in result.findings} == set(values)


def test_a_lost_record(store: OpenStore) -> None:
    """A record that was taken away is missed at its place, also the last one."""
    append(store, 3)
    with store.store.database.write() as connection:
        connection.execute(delete(records).where(of_requests(store), records.c.seq == 6))
    assert verify(store).first_bad == 6
    with store.store.database.write() as connection:
        connection.execute(delete(records).where(of_requests(store), records.c.seq == 2))
    assert verify(store).first_bad == 2


def test_a_record_slipped_in(store: OpenStore) -> None:
    """A record beyond the head is one that was never logged."""
    append(store, 1)
    with store.store.database.write() as connection:
        row = connection.execute(select(records).where(of_requests(store), records.c.seq == 1)).one()._asdict()
        connection.execute(insert(records).values(row | {"seq": 3, "id": "audit_forged"}))
    assert verify(store).first_bad == 3


@pytest.mark.parametrize("values", [{"size": 2}, {"last_time": 1}, {"frontier": b""}, {"seal": bytes(32)}])
def test_a_changed_head(store: OpenStore, values: dict[str, Any]) -> None:
    """A head that was changed does not carry our seal."""
    append(store, 1)
    with store.store.database.write() as connection:
        connection.execute(update(logs).where(logs.c.log == "requests").values(**values))
    result = verify(store)
    assert "seal" in {finding.field for finding in result.findings}
    checked = verifier(store)
    assert [requests(checked, store).ok, requests(checked, store).ok] == [False, False]


def test_no_such_log(store: OpenStore) -> None:
    """A log that does not exist is not verified by having nothing wrong."""
    with pytest.raises(NotFound, match="org_nobody"):
        verifier(store).verify("org_nobody")


def test_going_on_reads_only_what_is_new(store: OpenStore) -> None:
    """Between two whole passes, records that were verified are not read again, and new ones are."""
    checked = verifier(store)
    append(store, 3)
    assert requests(checked, store).records == 7
    append(store, 2)
    change(store, 1, model="changed")
    result = requests(checked, store)
    assert (result.ok, result.records, result.root) == (True, 11, verify(store).root)
    append(store, 1)
    change(store, 11, model="changed")
    assert requests(checked, store).first_bad == 11
    assert requests(checked, store).first_bad == 1  # a finding has everything read again


def test_everything_is_read_from_time_to_time(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that was changed after it was verified is found by the next whole pass."""
    monkeypatch.setattr("scriba.audit.verification._FULL_SHARE", 0)
    checked = verifier(store, full_seconds=0.0)
    append(store, 1)
    assert requests(checked, store).ok
    change(store, 1, model="changed")
    assert requests(checked, store).first_bad == 1
    change(store, 1, model="gpt-4o")
    assert requests(checked, store).ok


def test_a_log_that_shrinks(store: OpenStore) -> None:
    """Whoever saw a larger log says so, even if the smaller one is whole in itself."""
    checked = verifier(store)
    append(store, 1)
    with store.store.database.read() as connection:
        earlier = connection.execute(select(logs).where(logs.c.log == "requests")).one()._asdict()
    append(store, 1)
    assert requests(checked, store).records == 5
    with store.store.database.write() as connection:
        connection.execute(delete(records).where(of_requests(store), records.c.seq >= 3))
        connection.execute(update(logs).where(logs.c.log == "requests").values(**earlier))
    assert verify(store).ok
    for _ in range(2):
        result = requests(checked, store)
        assert (result.ok, result.first_bad) == (False, 3)
        assert "had 5 before" in result.findings[-1].message


IRRELEVANT = {"detail"}
"""What a decision makes no use of."""


@pytest.mark.parametrize("value", ["'text'", "''", "x'00ff'", "-1", "1.5", "9e99", "'[1]'", "'{}'", "NULL"])
def test_whatever_stands_in_a_column(sqlite_store: OpenStore, value: str) -> None:
    """SQLite lets anything into any column; verification finds it and never fails over it."""
    append(sqlite_store, 1)
    database, this = sqlite_store.store.database, of_requests(sqlite_store) & (records.c.seq == 1)
    with database.read() as connection:
        row = connection.execute(select(records).where(this)).one()._asdict()
    for column in records.columns:
        harmless = {("NULL", name) for name in row if row[name] is None} | {("''", "openings")}
        impossible = column.primary_key or (value == "NULL" and not column.nullable)
        if impossible or column.name in IRRELEVANT or (value, column.name) in harmless:
            continue
        with database.write() as connection:
            where = f"seq = 1 AND log_id = {row['log_id']}"
            connection.exec_driver_sql(f"UPDATE records SET {column.name} = {value} WHERE {where}")
        result = verify(sqlite_store)
        assert (result.ok, result.first_bad) == (False, 1), column.name
        with database.write() as connection:
            connection.execute(update(records).where(this).values(**row))
    assert verify(sqlite_store).ok
