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
from scriba.domain.address import address_bytes, parse_network
from scriba.domain.filter import Filters
from scriba.domain.record import Decision, Enforcement, Hidden, Mark, Outcome
from scriba.domain.timestamp import format_timestamp
from scriba.policy.reasons import Code, long_reason, short_reasons
from scriba.storage.hot import pending
from scriba.storage.model import COMMAND_LINE, LogId, LogName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stores import PostgresServer

    from scriba.audit.tail import Places
    from scriba.domain.record import Record
    from scriba.domain.window import Order

NAMES = HOSTILE.filter(bool)
MOMENTS = st.integers(-1, 2)
"""Microseconds after the time of the live entries: few, so that many are equal, also from one log to the other."""

NOW = 1_736_467_200_000_000
_some_names = NAMES | st.sampled_from(["gpt-4o", "GPT-4O", "gpt_4o", "gpt-4*", "*"])
_labels = NAMES | st.sampled_from(["a", "b", "a,b", '"', '","', '"a"', "[", "a\\", '["a"]', '{"a":1}', "\u202ea", "💩"])
_reasons = NAMES | st.sampled_from(
    [long_reason(code, provider="de'ep%", model="m*", creator="c", tier="t") for code in Code]
)
_parts = NAMES | st.sampled_from(
    ["China-based", "Minimum trust tier", "blocklist", "'", "%", "*", "BAA", "Provider", ","]
)
_addresses = st.sampled_from(
    ["", "unknown", "10.0.0.1", "10.0.1.1", "::ffff:10.0.0.1", "2001:db8::1", "2001:DB8::1", "::1", "255.255.255.255"]
)
_networks = st.sampled_from(
    ["10.0.0.1", "10.0.0.0/24", "10.0.0.0/8", "::ffff:10.0.0.0/120", "::/0", "0.0.0.0/0", "2001:db8::/32", "::1"]
)


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
        "policy_slot": draw(st.none() | st.integers(1, 3)),
        "request_id": draw(st.sampled_from(["req_1", "req_2"])),
        "violation_reasons": tuple(draw(st.lists(_reasons, max_size=2))),
        "source": draw(st.sampled_from(["gateway", "ingest", "evaluate"])),
        "hidden": Hidden(
            api_key_id=draw(st.sampled_from(["", "key_1", "key_2"])),
            ip_address=draw(_addresses),
            user=draw(_some_names | st.just("")),
            tags=tuple(dict.fromkeys(draw(st.lists(_labels, max_size=3)))),
        ),
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

    def some(strategy: st.SearchStrategy[Any]) -> tuple[Any, ...]:
        """Draw values for a filter that is left out most of the time."""
        return () if draw(st.integers(0, 5)) else tuple(draw(st.lists(strategy, min_size=1, max_size=2, unique=True)))

    return Filters(
        policy_slots=some(st.integers(1, 4)),
        api_key_ids=some(st.sampled_from(["key_1", "key_2"])),
        request_ids=some(st.sampled_from(["req_1", "req_2"])),
        networks=tuple(part for text in some(_networks) for part in parse_network(text, "ipAddress")),
        violations=some(_parts),
        users=some(st.sampled_from([user for fields in drawn if (user := fields["hidden"].user)] or ["nobody"])),
        tags=some(_labels),
        sources=some(st.sampled_from(["gateway", "ingest", "evaluate", "import"])),
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
    decision, time, hidden = known.decision, known.position.timestamp, known.decision.hidden
    texts = [text for reason in decision.violation_reasons for text in (reason, *short_reasons([reason]))]
    address = address_bytes(hidden.ip_address)
    return all(
        (
            not wanted.policy_ids or decision.policy_id in wanted.policy_ids,
            not wanted.providers or (decision.provider or decision.requested_provider) in wanted.providers,
            not wanted.models or any(matches_wildcards(decision.model, model) for model in wanted.models),
            wanted.allowed is None or decision.allowed == wanted.allowed,
            not wanted.enforcements or decision.enforcement in wanted.enforcements,
            not wanted.policy_slots or decision.policy_slot in wanted.policy_slots,
            not wanted.api_key_ids or hidden.api_key_id in wanted.api_key_ids,
            not wanted.request_ids or decision.request_id in wanted.request_ids,
            not wanted.networks or (address is not None and any(a <= address <= b for a, b in wanted.networks)),
            not wanted.violations or any(part in text for part in wanted.violations for text in texts),
            not wanted.users or hidden.user in wanted.users,
            not wanted.tags or not set(wanted.tags).isdisjoint(hidden.tags),
            not wanted.sources or decision.source in wanted.sources,
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
        [a_decision(org_id, **fields | {"source": "import", "timestamp": now + moment}) for moment, fields in imported],
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
    check_tail(opened, org_id, wanted, expected, limit)
    if known:
        after = data.draw(st.sampled_from([each.position for each in known]))
        newer = [each.position for each in expected if each.position > after][:limit]
        assert [entry.position for entry in audit_log.newest(org_id, after, limit, wanted)] == newer
    check_cursors(opened, org_id, wanted, expected, data)  # last: more arrives meanwhile


def check_cursors(opened: OpenStore, org_id: str, wanted: Filters, expected: list[Known], data: st.DataObject) -> None:
    """Go through the list page by page, by cursor, while more arrives: each entry that was there comes once."""
    order: Order = data.draw(st.sampled_from(["desc", "asc"]))
    limit = data.draw(st.integers(1, 3))
    audit_log = AuditLog(opened.store.database)
    seen, cursor = [], None
    while True:
        page = audit_log.list(org_id, wanted, limit, order=order, cursor=cursor)
        seen += [entry.position for entry in page.entries]
        if (cursor := page.next_cursor) is None:
            break
        # Later than whatever a list of newest first still has to come to. A few only: the other order would never end.
        if len(seen) <= 3 * limit:
            append(opened, LogId(org_id, LogName.REQUESTS), [a_decision(org_id, model="arrived meanwhile")])
    before = [each.position for each in expected]
    kept = [position for position in seen if position in before]
    assert kept == (before if order == "desc" else before[::-1])
    assert len(set(seen)) == len(seen)
    if order == "desc":
        assert seen == before


def check_tail(opened: OpenStore, org_id: str, wanted: Filters, expected: list[Known], limit: int) -> None:
    """Follow the logs from their beginning: each entry comes once, each log in its order, from any place on."""
    audit_log = AuditLog(opened.store.database)
    places: Places = {}
    seen = []
    while True:
        heard = audit_log.after(org_id, places, wanted, limit=limit)
        seen += [(told.entry.log, told.entry.seq) for told in heard.told]
        # From the place after an entry it goes on just the same.
        places = heard.told[-1].places if heard.told else heard.places
        if not heard.has_more:
            break
    known = {(each.position.log, each.position.seq) for each in expected}
    for log in ("requests", "imports"):
        assert [each for each in seen if each[0] == log] == sorted(each for each in seen if each[0] == log)
    assert known <= set(seen)
    assert len(set(seen)) == len(seen)
    assert len(seen) == audit_log.count(org_id, wanted)


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


@settings(_shared, max_examples=100)
@given(st.data())
def test_filters_on_sqlite(on_sqlite: OpenStore, data: st.DataObject) -> None:
    """Whatever entries are called and whatever is asked, the answer is that of a plain list."""
    check(on_sqlite, data)


@settings(_shared, max_examples=20)
@given(st.data())
def test_filters_on_postgresql(on_postgresql: OpenStore, data: st.DataObject) -> None:
    """PostgreSQL answers the same."""
    check(on_postgresql, data)
