"""What a report rests on: checkpoints, verification, gaps, retention, policies; over both databases."""

from __future__ import annotations

import base64
import threading
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update
from tests.stores import a_decision, in_batches

from scriba.audit.last_verification import Verifications
from scriba.audit.report.document import report_fields
from scriba.audit.report.question import parse_question
from scriba.audit.report.reports import Reports
from scriba.domain.record import Gap, Hidden, Mark
from scriba.domain.timestamp import format_timestamp
from scriba.errors import InvalidInput, NotFound
from scriba.ledger.origin import parse_origin
from scriba.merkle.note import open_note, parse_checkpoint, parse_vkey
from scriba.policy.catalogue import load_catalogue
from scriba.policy.models import load_models
from scriba.policy.vendors import Vendors
from scriba.storage.hot import pending
from scriba.storage.model import COMMAND_LINE, LogId, LogName
from scriba.storage.tables import logs, records, verifications

if TYPE_CHECKING:
    from tests.stores import OpenStore

    from scriba.domain.record import Record

NOW = 1_738_368_000_000_000  # 2025-02-01


def reports_of(store: OpenStore) -> Reports:
    """Return the reports of a process that knows nothing yet."""
    return Reports(store.store, Verifications(store.store.database, store.store.keyring))


def append(store: OpenStore, *given: Record, log: LogName = LogName.REQUESTS) -> list[int]:
    """Append records in one transaction; returns their log times."""
    with store.store.database.write() as connection:
        into = LogId(store.organisation.id, log)
        placed = store.store.hot.append(connection, [pending(into, record) for record in given])
    return [one.log_time for one in placed if one is not None]


def old(store: OpenStore, **fields: Any) -> None:
    """Import one decision of January 2025."""
    given = {"timestamp": NOW - 1_000_000, "source": "import", **fields}
    append(store, *in_batches([a_decision(store.organisation.id, **given)]), log=LogName.IMPORTS)


def ask(store: OpenStore, reports: Reports | None = None, **given: str) -> dict[str, Any]:
    """Ask for a report of January 2025, or for what is given."""
    question = parse_question({name: [text] for name, text in (given or {"period": "2025-01"}).items()}, NOW)
    return report_fields((reports or reports_of(store)).ask(store.organisation.id, question))


def test_a_report_carries_signed_checkpoints(store: OpenStore) -> None:
    """Promise: size and root of each log stand under the log's own signature, and the guard has seen them."""
    old(store)
    report = ask(store)
    kept = {checkpoint.origin: checkpoint for checkpoint in store.store.guard.checkpoints(store.store.keyring)}
    for one in (report["checkpoint"], *report["furtherCheckpoints"]):
        key = parse_vkey(store.store.keyring.of(one["origin"]).vkeys[0])
        checkpoint = parse_checkpoint(open_note(one["note"].encode(), [key]).text)
        assert (checkpoint.size, checkpoint.root) == (one["treeSize"], base64.b64decode(one["rootHash"]))
        assert checkpoint == kept[one["origin"]]
    assert [parse_origin(one["origin"]).log for one in (report["checkpoint"], *report["furtherCheckpoints"])] == [
        "requests",
        "imports",
    ]


def test_what_was_verified_is_stated(store: OpenStore) -> None:
    """Promise: a report verifies what is new itself, and says how far and when."""
    old(store)
    report = ask(store)
    assert report["complianceStatus"] == "COMPLIANT"
    assert report["verifiedTo"] == report["checkpoint"]["treeSize"] == 1
    assert [row["verifiedTo"] for row in report["verification"]] == [1, 3]
    assert report["verifiedAt"] <= report["generatedAt"]


def test_a_period_that_is_not_over_is_told(store: OpenStore) -> None:
    """Promise: nobody takes the report of a month that goes on for that of the whole month, now or computed again."""
    reports = reports_of(store)
    going_on = ask(store, reports, startDate="2025-01-01", endDate="9999-12-31")
    again: dict[str, Any] = report_fields(reports.again(store.organisation.id, going_on["id"]))
    for report in (going_on, again):
        assert report["findings"][0].startswith("The period was not over on ")
        assert report["complianceStatus"] == "COMPLIANT"
    for over in ({"period": "2025-01"}, {"startDate": "2025-01-01"}):
        assert not any("not over" in finding for finding in ask(store, reports, **over)["findings"])


def test_a_changed_record_makes_it_not_compliant(store: OpenStore) -> None:
    """Promise: the report is written all the same, and says what the verification found, also in other processes."""
    old(store)
    with store.store.database.write() as connection:
        connection.execute(update(records).where(records.c.type == "decision").values(model="another"))
    report = ask(store)
    assert report["complianceStatus"] == "NON_COMPLIANT"
    assert "Record 2 was changed" in report["findings"][0]
    later = Reports(store.store, Verifications(store.store.database, store.store.keyring), verifies=False)
    assert ask(store, later)["complianceStatus"] == "NON_COMPLIANT"


def test_nobody_else_can_say_that_a_log_was_verified(store: OpenStore) -> None:
    """Promise: a verification that was forged in the database counts as none."""
    old(store)
    ask(store)
    with store.store.database.write() as connection:
        connection.execute(update(verifications).values(mac=bytes(32)))
    later = Reports(store.store, Verifications(store.store.database, store.store.keyring), verifies=False)
    report = ask(store, later)
    assert report["verifiedTo"] is None
    assert report["complianceStatus"] == "COMPLIANT_WITH_WARNINGS"
    assert any("never been verified" in finding for finding in report["findings"])


def test_too_much_to_verify_is_left_and_said(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: a report never waits for a long verification; it says how far the last one came."""
    reports = reports_of(store)
    old(store)
    ask(store, reports)
    monkeypatch.setattr("scriba.audit.report.reports.MAX_UNVERIFIED", 1)
    old(store)
    old(store)
    report = ask(store, reports)
    assert [row["verifiedTo"] for row in report["verification"]] == [1, 3]
    assert any("4 newer records not yet" in finding for finding in report["findings"])
    assert report["complianceStatus"] == "COMPLIANT"


def test_a_damaged_head_does_not_prevent_it(store: OpenStore) -> None:
    """Promise: a log that cannot be signed any more is reported as not compliant."""
    old(store)
    with store.store.database.write() as connection:
        connection.execute(update(logs).where(logs.c.log == "imports").values(seal=bytes(32)))
    report = ask(store)
    assert report["complianceStatus"] == "NON_COMPLIANT"
    assert report["checkpoint"]["note"] is None
    assert "could not be signed" in report["findings"][0]


@pytest.mark.parametrize(("end", "overlaps"), [(NOW - 1, True), (NOW - 60_000_000_000_000, False)])
def test_a_gap_makes_it_not_compliant(store: OpenStore, end: int, overlaps: bool) -> None:  # noqa: FBT001 - a case
    """Promise: requests that were let through unlogged in the period are told, and count against it."""
    old(store)
    append(store, Gap(start=end - 10, end=end, count=7, reason="The database did not answer."))
    report = ask(store)
    assert (report["complianceStatus"] == "NON_COMPLIANT") == overlaps
    assert len(report["gaps"]) == overlaps
    if overlaps:
        assert report["findings"][0].startswith("7 requests were let through without being logged between 31 Jan 2025")


def test_purged_entries_are_told(store: OpenStore) -> None:
    """Promise: where retention took something of the period, the report says from when on the log is complete."""
    org_id = store.organisation.id
    times = append(store, a_decision(org_id), Mark(), a_decision(org_id))
    period = format_timestamp(times[0])[:4]
    assert ask(store, period=period)["summary"]["totalRequests"] == 2
    with store.store.database.write() as connection:
        connection.execute(update(logs).where(logs.c.log == "requests").values(first_seq=2))
    report = ask(store, period=period)
    assert report["purged"] == [{"log": "requests", "completeFrom": format_timestamp(times[1])}]
    assert any("complete from then on" in finding for finding in report["findings"])
    assert report["summary"]["totalRequests"] == 1


def test_required_facts_that_nobody_attested(store: OpenStore) -> None:
    """Promise: a BAA that the catalogue merely says can be had is a finding, per policy and provider."""
    models = load_models()
    vendors = Vendors(load_catalogue(models.sha256), models)
    body = {"name": "HIPAA", "rules": {"requireBaa": True, "enforcement": "hard_block"}}
    policy = store.control.create_policy(store.organisation.id, body, vendors=vendors, actor=COMMAND_LINE)
    fields = {"policy_id": policy.id, "policy_name": policy.name, "policy_sha256": policy.sha256, "policy_version": 1}
    [time] = append(store, a_decision(store.organisation.id, **fields))
    report = ask(store, period=format_timestamp(time)[:10])
    [fact] = report["requiredFacts"]
    assert (fact.policy_id, fact.fact, fact.providers, fact.basis) == (policy.id, "baa", ("openai",), "available")
    assert any("'HIPAA' requires a BAA of openai" in finding for finding in report["findings"])


def test_a_policy_of_another_organisation_is_none(store: OpenStore) -> None:
    """Promise: a policy that is not there and one of somebody else are refused alike; a report is never about none."""
    other = store.control.create_organisation("other", actor=COMMAND_LINE)
    models = load_models()
    vendors = Vendors(load_catalogue(models.sha256), models)
    body = {"name": "Theirs", "rules": {"enforcement": "warn"}}
    theirs = store.control.create_policy(other.id, body, vendors=vendors, actor=COMMAND_LINE)
    old(store, policy_id="gpol_mine", policy_name="Mine")
    said = []
    for policy_id in (theirs.id, "gpol_nobody"):
        with pytest.raises(NotFound) as caught:
            ask(store, period="2025-01", policyId=policy_id)
        said.append(caught.value.message.replace(policy_id, "X"))
    assert said[0] == said[1]
    assert ask(store, period="2024", policyId="gpol_mine")["policy"] == {"id": "gpol_mine", "name": "Mine"}
    assert "policy" not in ask(store, period="2024", policyId="gpol_mine,gpol_none")


def test_a_report_of_another_organisation_is_none(store: OpenStore) -> None:
    """Promise: the id of a report opens it to its own organisation alone."""
    reports = reports_of(store)
    other = store.control.create_organisation("other", actor=COMMAND_LINE)
    made = reports.ask(store.organisation.id, parse_question({}, NOW))
    assert reports.again(store.organisation.id, made.id).id == made.id
    for report_id in (made.id, "rpt_nobody", "rpt_\x00", "\ud800"):
        with pytest.raises(NotFound):
            reports.again(other.id, report_id)


def test_periods_without_a_start_begin_with_the_oldest_entry(store: OpenStore) -> None:
    """Promise: an end alone means everything until then; without any entry, its last day."""
    assert ask(store, endDate="2025-01-31")["period"]["start"] == "2025-01-31T00:00:00Z"
    old(store, timestamp=NOW - 40 * 86_400_000_000)
    report = ask(store, endDate="2025-01-31", granularity="monthly")
    assert report["period"] == {"start": "2024-12-23T00:00:00Z", "end": "2025-01-31T23:59:59Z"}
    assert [row["requests"] for row in report["series"]] == [1, 0]


def test_only_the_newest_refused_are_listed(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: the list of refused requests is bounded, keeps the newest, and says that it was cut."""
    monkeypatch.setattr("scriba.audit.report.figures.MAX_BLOCKED", 2)
    for second in (3, 2, 1):
        old(store, request_id=f"req_{second}", allowed=False, provider="", timestamp=NOW - second * 1_000_000)
    report = ask(store)
    assert [row["requestId"] for row in report["blockedRequests"]] == ["req_2", "req_1"]
    assert report["blockedRequestsTruncated"]
    assert report["summary"]["blockedRequests"] == 3


def test_too_many_groups_are_refused(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: groups are all there or none; nothing is cut off quietly."""
    monkeypatch.setattr("scriba.audit.report.figures.MAX_GROUPS", 1)
    old(store, model="a")
    assert len(ask(store, period="2025", groupBy="model")["groups"]) == 1
    old(store, model="b")
    with pytest.raises(InvalidInput, match="groups by model"):
        ask(store, period="2025", groupBy="model")


def test_too_many_combinations_of_tags_are_refused(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: tags that differ for every request do not take the server's memory."""
    monkeypatch.setattr("scriba.audit.report.figures.MAX_TAG_LISTS", 2)
    for tags in (("a",), ("a", "b")):
        old(store, hidden=Hidden(tags=tags))
    groups = ask(store, period="2025", groupBy="tag")["groups"]
    assert {group["key"]: group["requests"] for group in groups} == {"a": 2, "b": 1}
    old(store, hidden=Hidden(tags=("b",)))
    with pytest.raises(InvalidInput, match="combinations of tags"):
        ask(store, period="2025", groupBy="tag")


def test_one_snapshot_while_others_append(store: OpenStore) -> None:
    """Promise: whatever is appended meanwhile, all figures of one report are of one moment."""
    org_id, stop = store.organisation.id, threading.Event()

    def write() -> None:
        while not stop.is_set():
            append(store, *(a_decision(org_id, allowed=False, provider="", model=f"m{n}") for n in range(3)))

    [time] = append(store, a_decision(org_id))
    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(8):
            report = ask(store, period=format_timestamp(time)[:4], groupBy="model", granularity="daily")
            total = report["summary"]["totalRequests"]
            assert total == report["checkpoint"]["treeSize"] - 1
            for rows in (report["groups"], report["series"], report["providerBreakdown"].values()):
                assert sum(row["requests"] for row in rows) == total
            assert min(1000, report["summary"]["blockedRequests"]) == len(report["blockedRequests"])
    finally:
        stop.set()
        writer.join()
