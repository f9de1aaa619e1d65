"""Reading the audit log, on both databases."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, update
from tests.stores import a_decision

from scriba.audit.query import AuditLog, Position
from scriba.audit.span import Span
from scriba.audit.statement import From, count_statement, page_statement
from scriba.domain.filter import Filters
from scriba.domain.ids import mint_id
from scriba.domain.record import Gap, Hidden, Mark, Outcome
from scriba.domain.timestamp import format_timestamp
from scriba.domain.window import Window
from scriba.errors import IntegrityError, NotFound
from scriba.storage.hot import pending
from scriba.storage.model import COMMAND_LINE, LogId, LogName
from scriba.storage.tables import records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.stores import OpenStore

    from scriba.audit.statement import Statement
    from scriba.domain.record import Record
    from scriba.storage.model import Appended


@pytest.fixture
def audit_log(store: OpenStore) -> AuditLog:
    """Return the log's reader."""
    return AuditLog(store.store.database)


def append(store: OpenStore, *given: Record, log: LogName = LogName.REQUESTS, org_id: str = "") -> list[Appended]:
    """Append records in one transaction."""
    into = LogId(org_id or store.organisation.id, log)
    with store.store.database.write() as connection:
        placed = store.store.hot.append(connection, [pending(into, record) for record in given])
    return [each for each in placed if each is not None]


def decide(store: OpenStore, count: int, **fields: Any) -> list[str]:
    """Append decisions; returns their ids, newest first."""
    made = [a_decision(store.organisation.id, **fields) for _ in range(count)]
    append(store, *made)
    return [decision.id for decision in reversed(made)]


def ids(chunks: Iterable[Iterable[Any]]) -> list[str]:
    """Return the ids of exported entries."""
    return [entry.id for chunk in chunks for entry in chunk]


def test_only_decisions_are_entries(store: OpenStore, audit_log: AuditLog) -> None:
    """Outcomes, marks and gaps are records of the log, and no entries of it."""
    org_id = store.organisation.id
    [entry_id] = decide(store, 1)
    outcome = Outcome(decision=1, status=200, duration_ms=1, ended="complete")
    append(store, outcome, Mark(), Gap(start=1, end=2, reason="r"))
    assert audit_log.count(org_id) == audit_log.count(org_id, Filters(allowed=True)) == 1
    assert ids([audit_log.list(org_id).entries, audit_log.newest(org_id)]) == [entry_id] * 2
    assert ids(audit_log.export(org_id).chunks) == [entry_id]


def test_an_organisation_sees_its_own(store: OpenStore, audit_log: AuditLog) -> None:
    """Nothing of another organisation is listed, counted, exported or found."""
    other = store.control.create_organisation("other", actor=COMMAND_LINE).id
    theirs = a_decision(other)
    append(store, theirs, org_id=other)
    mine = store.organisation.id
    assert audit_log.list(mine).total == audit_log.count(mine) == audit_log.export(mine).total == 0
    assert not audit_log.newest(mine)
    with pytest.raises(NotFound):
        audit_log.get(mine, theirs.id)
    assert audit_log.get(other, theirs.id).entry.id == theirs.id
    assert audit_log.list("org_nobody").total == 0


def test_one_entry_with_its_proof_status(store: OpenStore, audit_log: AuditLog) -> None:
    """An entry says where it is logged and under which hash, and its outcome once there is one."""
    org_id = store.organisation.id
    decision = a_decision(org_id, policy_slot=3, attempt=2, occurred_at=1_000_001, source="ingest")
    [placed] = append(store, decision)
    detail = audit_log.get(org_id, decision.id)
    assert detail.outcome is None
    assert (detail.proof.origin, detail.proof.seq, detail.proof.tree_size) == (placed.origin, placed.seq, 2)
    assert base64.b64decode(detail.proof.leaf_hash) == placed.leaf_hash
    assert detail.proof.timestamp == detail.entry.timestamp == format_timestamp(placed.log_time)
    assert detail.proof.intact
    append(store, Outcome(decision=placed.seq, status=499, duration_ms=7, ended="client", input_tokens=0))
    outcome = audit_log.get(org_id, decision.id).outcome
    assert outcome is not None
    assert (outcome.status, outcome.duration_ms, outcome.ended) == (499, 7, "client")
    assert (outcome.input_tokens, outcome.output_tokens) == (0, None)


def test_an_imported_entry(store: OpenStore, audit_log: AuditLog) -> None:
    """An imported entry keeps the source's id and time; its proof says when it was logged."""
    org_id = store.organisation.id
    [placed] = append(
        store,
        a_decision(org_id, id="audit_abc123", timestamp=1_736_519_400_000_000, source="import"),
        log=LogName.IMPORTS,
    )
    detail = audit_log.get(org_id, "audit_abc123")
    assert (detail.entry.log, detail.entry.timestamp) == ("imports", "2025-01-10T14:30:00Z")
    assert detail.proof.timestamp == format_timestamp(placed.log_time)


@pytest.mark.parametrize("change", [{"model": "gpt-5"}, {"user_agent": None}, {"violation_reasons": "broken"}])
def test_a_changed_entry_is_not_intact(store: OpenStore, audit_log: AuditLog, change: dict[str, Any]) -> None:
    """An entry whose row was changed behind our back says so, or cannot be shown at all."""
    decision = a_decision(store.organisation.id)
    append(store, decision)
    with store.store.database.write() as connection:
        connection.execute(update(records).where(records.c.id == decision.id).values(**change))
    if change == {"violation_reasons": "broken"}:
        with pytest.raises(IntegrityError, match="Record 1 of the log 'requests'"):
            audit_log.get(store.organisation.id, decision.id)
    else:
        assert not audit_log.get(store.organisation.id, decision.id).proof.intact


def test_an_export_holds_what_there_was_when_it_began(
    store: OpenStore, audit_log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is appended or imported meanwhile is not in it, and what was there is all in it."""
    monkeypatch.setattr("scriba.audit.query._CHUNK", 2)
    before = decide(store, 5)
    export = audit_log.export(store.organisation.id)
    exported = [*next(export.chunks)]
    decide(store, 3)
    older = a_decision(store.organisation.id, timestamp=1, source="import")
    append(store, older, log=LogName.IMPORTS)
    exported += [entry for chunk in export.chunks for entry in chunk]
    assert ids([exported]) == before
    assert export.total == 5
    assert audit_log.count(store.organisation.id) == 9


def test_an_export_never_ends_early(store: OpenStore, audit_log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """If entries go missing while they are read, the export fails; it does not look whole."""
    monkeypatch.setattr("scriba.audit.query._CHUNK", 2)
    decide(store, 5)
    export = audit_log.export(store.organisation.id)
    next(export.chunks)
    with store.store.database.write() as connection:
        connection.execute(delete(records).where(records.c.seq == 1))
    with pytest.raises(IntegrityError, match="4 of 5"):
        list(export.chunks)


def test_newest(store: OpenStore, audit_log: AuditLog) -> None:
    """A live list asks for what came after the newest that it has."""
    org_id = store.organisation.id
    first = decide(store, 3)
    shown = audit_log.newest(org_id, limit=2)
    assert ids([shown]) == first[:2]
    assert not audit_log.newest(org_id, shown[0].position)
    later = decide(store, 2)
    assert ids([audit_log.newest(org_id, shown[0].position)]) == later
    assert ids([audit_log.newest(org_id, shown[1].position)]) == [*later, first[0]]


def test_text_of_every_kind_comes_back(store: OpenStore, audit_log: AuditLog) -> None:
    """Models, names and reasons are shown as they were logged, letter by letter."""
    odd = "É é e\u0301 % _ \\ ' \" 💩 \u202e <b>"
    decision = a_decision(
        store.organisation.id,
        id=mint_id("audit"),
        model=odd,
        policy_name=odd,
        violation_reasons=(odd,),
        hidden=Hidden(user=odd, tags=(odd,), client_request_id=odd),
    )
    append(store, decision)
    [entry] = audit_log.list(store.organisation.id, Filters(models=(odd,))).entries
    assert (entry.model, entry.policy_name, entry.user, entry.client_request_id) == (odd, odd, odd, odd)
    assert entry.violation_reasons == entry.tags == (odd,)


@pytest.mark.parametrize("logs", [1, 2])
def test_lists_and_counts_are_read_from_indexes(sqlite_store: OpenStore, logs: int) -> None:
    """The newest entries come out of an index in their order, however long the log; so does the count of all."""
    spans = [Span(1, "imports", "a", 9), Span(2, "requests", "b", 9)][-logs:]
    position = Position(1, "requests", 1)

    def plan(statement: Statement) -> str:
        with sqlite_store.store.database.read() as connection:
            steps = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement.sql, statement.values)
            return "\n".join(step[-1] for step in steps)

    for start in (None, From("older", position), From("newer", position)):
        steps = plan(page_statement(spans, Filters(), Window(), "sqlite", start))
        assert steps.count("SEARCH records USING INDEX ix_records_log_id_timestamp") == logs
    assert "COVERING INDEX ix_records_log_id_id" in plan(count_statement(spans[0], Filters(), "sqlite"))


def test_rare_entries_are_read_from_indexes(sqlite_store: OpenStore) -> None:
    """Promise: what was refused, and the entries of one request, are found without reading the log."""
    spans = [Span(1, "imports", "a", 9), Span(2, "requests", "b", 9)]

    def plan(filters: Filters) -> str:
        sql, values = page_statement(spans, filters, Window(), "sqlite")
        with sqlite_store.store.database.read() as connection:
            return "\n".join(step[-1] for step in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + sql, values))

    assert plan(Filters(allowed=False)).count("USING INDEX ix_records_refused") == 2
    assert plan(Filters(request_ids=("a", "b"))).count("USING INDEX ix_records_request_id") == 2
