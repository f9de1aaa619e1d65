"""Any report over any entries, against a plain list."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.stores import OpenStore, a_decision, in_batches
from tests.wildcards import HOSTILE

from scriba.audit.last_verification import Verifications
from scriba.audit.report.document import report_fields
from scriba.audit.report.forms import FORMS
from scriba.audit.report.question import parse_question
from scriba.audit.report.reports import Reports
from scriba.domain.period import DAY
from scriba.domain.record import Decision, Enforcement, Hidden, Mark
from scriba.domain.timestamp import format_timestamp, parse_timestamp
from scriba.policy.reasons import short_reasons
from scriba.storage.hot import pending
from scriba.storage.model import COMMAND_LINE, LogId, LogName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.stores import PostgresServer

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAMES = HOSTILE.filter(bool)
FEW = NAMES | st.sampled_from(["openai", "OpenAI", "unknown", "=1+1", "100"])
DAYS = ["2024-02-28", "2024-02-29", "2024-03-01", "2020-12-31", "2021-01-01", "2021-01-03", "2021-01-04", "2024-12-30"]
"""Around a leap day, around the end of a year with 53 weeks, and in a week that belongs to the next year."""

PERIODS = ["2024", "2024-Q1", "2024-02", "2024-02-29", "2020-W53", "2021-W01", "2025-W01", "2020", "2099-01", "1999"]
SHORT = ["2024-02", "2024-02-29", "2020-W53", "2021-W01", "2025-W01", "2024-Q1"]
SECONDS = st.sampled_from([0, 1, 3599, 3600, 86_399]) | st.integers(0, 86_399)
MOMENTS = st.builds(
    lambda day, second, micro: parse_timestamp(f"{day}T00:00:00Z") + second * 1_000_000 + micro,
    st.sampled_from(DAYS),
    SECONDS,
    st.sampled_from([0, 1, 999_999]),
)


class Known(NamedTuple):
    """An entry as the plain list has it."""

    timestamp: int
    log: str
    seq: int
    decision: Decision


@st.composite
def fields_of_decisions(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what a decision says."""
    allowed = draw(st.booleans())
    return {
        "model": draw(FEW),
        "policy_id": draw(st.sampled_from(["gpol_a", "gpol_b"])),
        "provider": draw(FEW) if allowed else "",
        "requested_provider": draw(FEW | st.just("")),
        "allowed": allowed,
        "enforcement": str(draw(st.sampled_from(list(Enforcement)))),
        "violation_reasons": draw(st.just(()) | st.lists(NAMES, min_size=1, max_size=2).map(tuple)),
        "hidden": Hidden(
            ip_address=draw(st.sampled_from(["", "203.0.113.42"])),
            user=draw(FEW | st.just("")),
            api_key_id=draw(st.sampled_from(["", "key_1", "key_2"])),
            tags=tuple(draw(st.lists(FEW, max_size=2, unique=True))),
        ),
    }


KEYS: dict[str, Callable[[Decision], Sequence[str]]] = {
    "provider": lambda d: [d.requested_provider or d.provider],
    "model": lambda d: [d.model],
    "policy": lambda d: [d.policy_id],
    "apiKey": lambda d: [d.hidden.api_key_id],
    "enforcement": lambda d: [d.enforcement],
    "user": lambda d: [d.hidden.user],
    "tag": lambda d: list(dict.fromkeys(d.hidden.tags)) or [""],
}


def counts(found: Sequence[Known]) -> dict[str, int]:
    """Count plainly."""
    allowed = [one for one in found if one.decision.allowed]
    against = [one.decision.enforcement for one in allowed if one.decision.violation_reasons]
    return {
        "requests": len(found),
        "allowed": len(allowed),
        "blocked": len(found) - len(allowed),
        "warned": against.count("warn"),
    }


def last_attempts(known: list[Known]) -> list[Known]:
    """Keep the last attempt of each request of the gateway, and everything else."""
    last = {one.decision.request_id: one for one in known if one.decision.source == "gateway"}
    return [one for one in known if one.decision.source != "gateway" or last[one.decision.request_id] is one]


def start_of(moment: int, granularity: str) -> datetime:
    """Return the start of a bucket by the standard library's calendar."""
    hour = (EPOCH + timedelta(microseconds=moment)).replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    return {
        "hourly": hour,
        "daily": day,
        "weekly": day - timedelta(days=day.weekday()),
        "monthly": day.replace(day=1),
    }[granularity]


def write(opened: OpenStore, org_id: str, data: st.DataObject) -> list[Known]:
    """Append requests with attempts, told entries and imports; returns the entries in the order of their logs."""
    live: list[Any] = [Mark()]
    for fields in data.draw(st.lists(fields_of_decisions(), max_size=4)):
        live.append(a_decision(org_id, **fields))
        for attempt in range(2, 2 + data.draw(st.integers(0, 2))):
            again = data.draw(fields_of_decisions())
            live.append(a_decision(org_id, attempt=attempt, request_id=live[-1].request_id, **again))
    told = data.draw(st.lists(fields_of_decisions(), max_size=3))
    live += [a_decision(org_id, source="ingest", request_id="req_same", **fields) for fields in told]
    imported = data.draw(st.lists(st.tuples(MOMENTS, fields_of_decisions()), max_size=6))
    old = in_batches(
        a_decision(org_id, source="import", request_id="req_same", timestamp=moment, **fields)
        for moment, fields in imported
    )
    known = []
    for name, written in ((LogName.REQUESTS, data.draw(st.permutations(live)) if not has_attempts(live) else live),) + (
        ((LogName.IMPORTS, old),) if old else ()
    ):
        with opened.store.database.write() as connection:
            placed = opened.store.hot.append(connection, [pending(LogId(org_id, name), one) for one in written])
        for record, place in zip(written, placed, strict=True):
            if isinstance(record, Decision) and place is not None:
                time = place.log_time if record.timestamp is None else record.timestamp
                known.append(Known(time, name.value, place.seq, record))
    return known


def has_attempts(records: list[Any]) -> bool:
    """Whether the order of records matters."""
    return any(isinstance(one, Decision) and one.attempt is not None for one in records)


def draw_parameters(data: st.DataObject, known: list[Known]) -> dict[str, list[str]]:
    """Draw what a report is asked for."""
    asked: dict[str, list[str]] = {}
    chosen = data.draw(st.sampled_from(["period", "dates", "all", "none"]))
    if chosen == "period":
        asked["period"] = [data.draw(st.sampled_from(PERIODS))]
    elif chosen == "dates":
        first, last = sorted(data.draw(st.tuples(MOMENTS, MOMENTS)))
        exact = data.draw(st.booleans())
        asked["startDate"] = [format_timestamp(first) if exact else format_timestamp(first)[:10]]
        asked["endDate"] = [format_timestamp(last) if exact else format_timestamp(last)[:10]]
    elif chosen == "all":
        asked["startDate"] = ["2020-12-01"]
    if data.draw(st.integers(0, 2)) == 0:
        asked["allowed"] = [data.draw(st.sampled_from(["true", "false"]))]
    if known and data.draw(st.integers(0, 2)) == 0:
        models = {
            one.decision.model for one in known if "," not in one.decision.model and "*" not in one.decision.model
        }
        if models:
            asked["model"] = [data.draw(st.sampled_from(sorted(models)))]
    asked["groupBy"] = [data.draw(st.sampled_from(sorted(KEYS)))]
    short = asked.get("period", [""])[0] in SHORT
    asked["granularity"] = [data.draw(st.sampled_from(["daily", "weekly", "monthly", *(["hourly"] if short else [])]))]
    return asked


def matches(one: Known, asked: dict[str, list[str]], start: int, end: int) -> bool:
    """Say what the filters mean."""
    return (
        start <= one.timestamp < end
        and ("allowed" not in asked or one.decision.allowed == (asked["allowed"] == ["true"]))
        and ("model" not in asked or one.decision.model == asked["model"][0])
    )


def check(opened: OpenStore, data: st.DataObject) -> None:
    """Compare one report with the plain list, and with itself later."""
    name = f"r-{len(opened.control.refresh().organisations)}"
    org_id = opened.control.create_organisation(name, actor=COMMAND_LINE).id
    known = write(opened, org_id, data)
    asked = draw_parameters(data, known)
    now = max((one.timestamp for one in known), default=0) + DAY
    question = parse_question(asked, now)
    reports = Reports(opened.store, Verifications(opened.store.database, opened.store.keyring))
    made = reports.ask(org_id, question)
    report: Any = report_fields(made)
    start, end = made.question.period

    found = [one for one in last_attempts(known) if matches(one, asked, start, end)]
    entries = [one for one in known if matches(one, asked, start, end)]
    expected = counts(found)
    summary = report["summary"]
    assert [summary[f"{each}Requests"] for each in ("total", "allowed", "blocked", "warned")] == [*expected.values()]
    assert summary["attempts"] == len(entries)
    rate = None if not found else (10_000 * expected["allowed"] // len(found)) / 100
    assert summary["complianceRate"] == rate

    by_provider = Counter((one.decision.requested_provider or one.decision.provider) or "unknown" for one in found)
    assert {key: row["requests"] for key, row in report["providerBreakdown"].items()} == by_provider
    check_groups(report, asked["groupBy"][0], found, expected)
    check_series(report, asked["granularity"][0], found, expected, (start, end))
    check_blocked(report, found)
    attempts = counts(entries)
    defied = [one for one in entries if one.decision.allowed and one.decision.violation_reasons]
    is_bad = any(one.decision.enforcement == "hard_block" for one in defied)
    status = "NON_COMPLIANT" if is_bad else "COMPLIANT_WITH_WARNINGS" if attempts["warned"] else "COMPLIANT"
    assert report["complianceStatus"] == status
    assert all(form.write(made) for form in FORMS.values())

    # More entries arrive, and the report still comes out as it was.
    with opened.store.database.write() as connection:
        later = [
            a_decision(org_id),
            a_decision(org_id, request_id=known[0].decision.request_id if known else "r", attempt=9),
        ]
        opened.store.hot.append(connection, [pending(LogId(org_id, LogName.REQUESTS), one) for one in later])
    again = reports.again(org_id, made.id)
    assert again.figures == made.figures
    assert again.checkpoints == made.checkpoints


def check_groups(report: Any, by: str, found: list[Known], expected: dict[str, int]) -> None:
    """Compare the groups; they add up, but for tags."""
    keys = {key for one in found for key in KEYS[by](one.decision)}
    plain = {key or None: counts([one for one in found if key in KEYS[by](one.decision)]) for key in keys}
    assert {row["key"]: {each: row[each] for each in expected} for row in report["groups"]} == plain
    requests = [row["requests"] for row in report["groups"]]
    assert requests == sorted(requests, reverse=True)
    if by != "tag":
        assert {each: sum(row[each] for row in report["groups"]) for each in expected} == expected


def check_series(
    report: Any, granularity: str, found: list[Known], expected: dict[str, int], period: tuple[int, int]
) -> None:
    """Compare the series; it covers the period without gap, and adds up."""
    series, (start, end) = report["series"], period
    assert {each: sum(row[each] for row in series) for each in expected} == expected
    if start == end:
        assert series == []
        return
    assert (series[0]["start"], series[-1]["end"]) == (format_timestamp(start), format_timestamp(end))
    assert all(one["end"] == other["start"] for one, other in pairwise(series))
    plain = Counter(start_of(one.timestamp, granularity) for one in found)
    for row in series:
        assert row["requests"] == plain[start_of(parse_timestamp(row["start"]), granularity)]


def check_blocked(report: Any, found: list[Known]) -> None:
    """Compare the list of refused requests, the newest last."""
    refused = sorted((one for one in found if not one.decision.allowed), key=lambda one: one[:3])
    assert [(row["timestamp"], row["requestId"], tuple(row["reasons"])) for row in report["blockedRequests"]] == [
        (format_timestamp(one.timestamp), one.decision.request_id, short_reasons(one.decision.violation_reasons))
        for one in refused
    ]
    assert not report["blockedRequestsTruncated"]


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenStore]:
    """Open a store in a file for all examples; each makes an organisation of its own."""
    folder = tmp_path_factory.mktemp("reports")
    opened = OpenStore.open(folder, f"sqlite:///{folder}/scriba.db")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def on_postgresql(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> Iterator[OpenStore]:
    """Open one on PostgreSQL."""
    opened = OpenStore.open(tmp_path_factory.mktemp("reports"), postgres.new_database())
    yield opened
    opened.close()


_shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)


@settings(_shared, max_examples=120)
@given(st.data())
def test_reports_on_sqlite(on_sqlite: OpenStore, data: st.DataObject) -> None:
    """Promise: every figure of a report is what a plain count gives, now and when it is computed again."""
    check(on_sqlite, data)


@settings(_shared, max_examples=30)
@given(st.data())
def test_reports_on_postgresql(on_postgresql: OpenStore, data: st.DataObject) -> None:
    """Promise: PostgreSQL counts the same."""
    check(on_postgresql, data)
