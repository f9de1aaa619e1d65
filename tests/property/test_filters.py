"""Any filters over any entries, against a plain list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.stores import OpenStore, a_decision
from tests.wildcards import HOSTILE, matches_wildcards

from scriba.audit.entry import Position
from scriba.audit.query import AuditLog
from scriba.domain.filter import Filters
from scriba.domain.record import Decision, Enforcement, Mark, Outcome
from scriba.domain.timestamp import format_timestamp
from scriba.storage.hot import pending
from scriba.storage.model import COMMAND_LINE, LogId, LogName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stores import PostgresServer

    from scriba.domain.record import Record

NAMES = HOSTILE.filter(bool)
MOMENTS = st.integers(-1, 2)
"""Microseconds after the time of the live entries: few, so that many are equal, also from one log to the other."""

NOW = 1_736_467_200_000_000
_some_names = NAMES | st.sampled_from(["gpt-4o", "GPT-4O", "gpt_4o", "gpt-4*", "*"])


class Known(NamedTuple):
    """An entry as the plain list has it."""

    position: Position
    decision: Decision


@st.composite
def decisions(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what a decision says, with texts that a careless query would stumble over."""
    allowed = draw(st.booleans())
    return {
        "model": draw(_some_names),
        "policy_id": draw(_some_names),
        "provider": draw(_some_names) if allowed else "",
        "requested_provider": draw(_some_names | st.just("")),
        "allowed": allowed,
        "enforcement": draw(st.sampled_from(list(Enforcement))),
    }


@st.composite
def filters(draw: st.DrawFn, drawn: list[dict[str, Any]], now: int) -> Filters:
    """Draw filters that often match something."""
    bounds = st.none() | st.none() | MOMENTS.map(lambda moment: now + moment)

    def values(name: str) -> tuple[str, ...]:
        if draw(st.integers(0, 3)):
            return ()  # most filters are left out most of the time, or nothing would match all of them
        of_entries = [fields[name] for fields in drawn if fields[name]]
        one = _some_names | st.sampled_from(of_entries) if of_entries else _some_names
        return tuple(draw(st.lists(one, max_size=3)))

    models = values("model")
    cuts = draw(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=len(models)))
    wild = tuple(model[:left] + "*" + model[left + width :] for model, (left, width) in zip(models, cuts, strict=False))
    return Filters(
        policy_ids=values("policy_id"),
        providers=values(draw(st.sampled_from(["provider", "requested_provider"]))),
        models=models[len(wild) :] + wild,
        allowed=draw(st.none() | st.none() | st.booleans()),
        enforcements=values("enforcement"),
        start=draw(bounds),
        end=draw(bounds),
    )


def plainly_matches(known: Known, wanted: Filters) -> bool:
    """Say what the filters mean, one by one."""
    decision, time = known.decision, known.position.timestamp
    return all(
        (
            not wanted.policy_ids or decision.policy_id in wanted.policy_ids,
            not wanted.providers or (decision.provider or decision.requested_provider) in wanted.providers,
            not wanted.models or any(matches_wildcards(decision.model, model) for model in wanted.models),
            wanted.allowed is None or decision.allowed == wanted.allowed,
            not wanted.enforcements or decision.enforcement in wanted.enforcements,
            wanted.start is None or time >= wanted.start,
            wanted.end is None or time < wanted.end,
        )
    )


def append(opened: OpenStore, log: LogId, records: list[Record]) -> list[Known]:
    """Append in one transaction, so that all have one log time; returns the entries among the records."""
    if not records:
        return []
    with opened.store.database.write() as connection:
        placed = opened.store.hot.append(connection, [pending(log, record) for record in records])
    known = []
    for record, place in zip(records, placed, strict=True):
        if isinstance(record, Decision) and place is not None:
            time = place.log_time if record.timestamp is None else record.timestamp
            known.append(Known(Position(time, log.log.value, place.seq), record))
    return known


def write(opened: OpenStore, org_id: str, live: list[Any], imported: list[tuple[int, Any]]) -> list[Known]:
    """Append to both logs, with records that are no entries in between; returns the entries, newest first."""
    no_entries: list[Record] = [Mark(), Outcome(decision=1, status=200, duration_ms=1, ended="complete")]
    records: list[Record] = [record for fields in live for record in (a_decision(org_id, **fields), *no_entries)]
    known = append(opened, LogId(org_id, LogName.REQUESTS), records)
    now = known[0].position.timestamp if known else NOW
    known += append(
        opened,
        LogId(org_id, LogName.IMPORTS),
        [a_decision(org_id, source="import", timestamp=now + moment, **fields) for moment, fields in imported],
    )
    return sorted(known, key=lambda each: each.position, reverse=True)


def check(opened: OpenStore, data: st.DataObject) -> None:
    """Compare lists, pages, counts and exports with the plain list."""
    live = data.draw(st.lists(decisions(), max_size=6))
    imported = data.draw(st.lists(st.tuples(MOMENTS, decisions()), max_size=6))
    name = f"p-{len(opened.control.refresh().organisations)}"
    org_id = opened.control.create_organisation(name, actor=COMMAND_LINE).id
    known = write(opened, org_id, live, imported)
    now = max((each.position.timestamp for each in known), default=NOW) - 1
    wanted = data.draw(filters([fields for _, fields in imported] + live, now))
    limit, offset = data.draw(st.integers(1, 5)), data.draw(st.integers(0, 8))

    expected = [each for each in known if plainly_matches(each, wanted)]
    audit_log = AuditLog(opened.store.database)
    page = audit_log.list(org_id, wanted, limit, offset)
    assert [entry.position for entry in page.entries] == [each.position for each in expected[offset : offset + limit]]
    assert page.total == audit_log.count(org_id, wanted) == len(expected)
    assert page.has_more == (offset + limit < len(expected))
    for entry, each in zip(page.entries, expected[offset:], strict=False):
        assert (entry.id, entry.model) == (each.decision.id, each.decision.model)
        assert entry.timestamp == format_timestamp(each.position.timestamp)
    export = audit_log.export(org_id, wanted, offset)
    exported = [entry.id for chunk in export.chunks for entry in chunk]
    assert exported == [each.decision.id for each in expected[offset:]]
    if known:
        after = data.draw(st.sampled_from([each.position for each in known]))
        newer = [each.position for each in expected if each.position > after][:limit]
        assert [entry.position for entry in audit_log.newest(org_id, after, limit, wanted)] == newer


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenStore]:
    """Open a store in a file for all examples; each makes an organisation of its own."""
    folder = tmp_path_factory.mktemp("filters")
    opened = OpenStore.open(folder, f"sqlite:///{folder}/scriba.db")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def on_postgresql(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> Iterator[OpenStore]:
    """Open one on PostgreSQL."""
    opened = OpenStore.open(tmp_path_factory.mktemp("filters"), postgres.new_database())
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make exports go on from chunk to chunk even when they are small."""
    monkeypatch.setattr("scriba.audit.query._CHUNK", 2)


_shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)


@settings(_shared, max_examples=120)
@given(st.data())
def test_filters_on_sqlite(on_sqlite: OpenStore, data: st.DataObject) -> None:
    """Whatever entries are called and whatever is asked, the answer is that of a plain list."""
    check(on_sqlite, data)


@settings(_shared, max_examples=20)
@given(st.data())
def test_filters_on_postgresql(on_postgresql: OpenStore, data: st.DataObject) -> None:
    """PostgreSQL answers the same."""
    check(on_postgresql, data)
