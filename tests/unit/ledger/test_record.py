"""Records: required fields, limits, and what a strict reader refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from scriba.domain.record import (
    Decision,
    Event,
    Gap,
    Hidden,
    ImportBatch,
    LogStart,
    Mark,
    Outcome,
    Previous,
    Record,
    Stored,
    TreeHead,
)
from scriba.ledger.canonical import MAX_RECORD, InvalidRecord
from scriba.ledger.record import fields_of, parse_record, prepare, record_bytes, validate

HASH = "ab" * 32
DECISION = Decision(
    id="audit_1",
    org_id="org_1",
    request_id="req_1",
    model="gpt-4o",
    allowed=False,
    enforcement="hard_block",
    policy_id="gpol_1",
    policy_name="Production",
    source="gateway",
)
IMPORTED = replace(DECISION, source="import", timestamp=0)
HEAD = TreeHead(4, bytes(32))


def encoded(record: Record, **members: Any) -> bytes:
    """Write a record at seq 1, with further or other members."""
    whole = json.loads(prepare(record, bytes(16)).complete(1, 0)) | members
    return json.dumps(whole, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "attribute", ["id", "org_id", "request_id", "model", "enforcement", "policy_id", "policy_name", "source"]
)
def test_a_decision_without_a_required_field_is_refused(attribute: str) -> None:
    """What every entry must say cannot be left out."""
    with pytest.raises(InvalidRecord):
        validate(replace(DECISION, **{attribute: ""}))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": "x" * 129}, "id"),
        ({"org_id": "é" * 65}, "orgId"),
        ({"request_id": "x" * 129}, "requestId"),
        ({"policy_id": "x" * 129}, "policyId"),
        ({"model": "x" * 257}, "model"),
        ({"model": "x\x00"}, "model"),
        ({"provider": "x" * 257}, "provider"),
        ({"policy_name": "é" * 129}, "policyName"),
        ({"violation_reasons": ("x",) * 33}, "violationReasons"),
        ({"violation_reasons": ("x" * 513,)}, "violationReasons"),
        ({"violation_reasons": ("",)}, "violationReasons"),
        ({"violation_codes": ("zdr",)}, "violationCodes"),
        ({"enforcement": "block"}, "enforcement"),
        ({"source": "gate"}, "source"),
        ({"operation": "image"}, "operation"),
        ({"policy_slot": 0}, "policySlot"),
        ({"policy_slot": 13}, "policySlot"),
        ({"policy_slot": True}, "policySlot"),
        ({"policy_version": 0}, "policyVersion"),
        ({"attempt": 0}, "attempt"),
        ({"retry_count": 2**53}, "retryCount"),
        ({"policy_sha256": HASH.upper()}, "policySha256"),
        ({"catalogue_sha256": HASH[:-1]}, "catalogueSha256"),
        ({"allowed": 1}, "allowed"),
        ({"model": 7}, "model"),
        ({"occurred_at": 0}, "occurredAt"),
        ({"source": "ingest", "occurred_at": -1}, "occurredAt"),
        ({"timestamp": 0}, "timestamp"),
        ({"source": "import"}, "timestamp"),
        ({"hidden": Hidden(actor="key_1")}, "actor"),
    ],
)
def test_a_decision_that_breaks_a_limit_names_the_field(changes: dict[str, Any], field: str) -> None:
    """Nothing is cut or repaired: the field at fault is named as the API names it."""
    with pytest.raises(InvalidRecord) as caught:
        validate(replace(DECISION, **changes))
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (Outcome(decision=1, status=99, duration_ms=0, ended="complete"), "status"),
        (Outcome(decision=0, status=200, duration_ms=0, ended="complete"), "decision"),
        (Outcome(decision=1, status=200, duration_ms=0, ended="finished"), "ended"),
        (Gap(start=1, end=0, reason="database unreachable"), "to"),
        (Gap(start=0, end=1, reason=""), "reason"),
        (ImportBatch(count=10_001, first_timestamp=0, last_timestamp=0, source_sha256=HASH), "count"),
        (ImportBatch(count=1, first_timestamp=1, last_timestamp=0, source_sha256=HASH), "lastTimestamp"),
        (LogStart(origin="o", keys=()), "keys"),
        (
            LogStart(origin="o", keys=("k",), previous=Previous(origin="p", kept=HEAD, signed=HEAD, reason="")),
            "previous.reason",
        ),
        (
            LogStart(
                origin="o", keys=("k",), previous=Previous(origin="p", kept=TreeHead(1, b""), signed=HEAD, reason="r")
            ),
            "previous.keptRoot",
        ),
        (Event(id="audit_1", action="", target="t"), "action"),
        (Event(id="audit_1", action="a", target="t", detail={"note": None}), "detail.note"),
        (Event(id="audit_1", action="a", target="t", detail={"é": 1}), "detail"),
        (Event(id="audit_1", action="a", target="t", head=TreeHead(-1, bytes(32))), "head.size"),
        (Event(id="audit_1", action="a", target="t", hidden=Hidden(user="u")), "user"),
    ],
)
def test_other_records_name_the_field_too(record: Record, field: str) -> None:
    """Each type has its own rules."""
    with pytest.raises(InvalidRecord) as caught:
        validate(record)
    assert caught.value.field == field


def test_the_first_attempt_has_one_form() -> None:
    """Saying "attempt 1" is the same as not saying it, and the reader knows only the latter."""
    assert prepare(replace(DECISION, attempt=1)).complete(1, 0) == prepare(DECISION).complete(1, 0)
    with pytest.raises(InvalidRecord, match="attempt"):
        parse_record(encoded(DECISION, attempt=1))


def test_the_longest_decision_can_be_logged() -> None:
    """With every field at its limit and every character escaped, a decision stays below the limit of a record."""
    text = '"' * 256
    worst = Decision(
        id='"' * 128,
        org_id='"' * 128,
        request_id='"' * 128,
        model=text,
        allowed=False,
        enforcement="hard_block",
        policy_id='"' * 128,
        policy_name=text,
        source="ingest",
        policy_slot=12,
        policy_version=2**53 - 1,
        policy_sha256=HASH,
        catalogue_sha256=HASH,
        provider=text,
        requested_provider=text,
        violation_reasons=('"' * 512,) * 32,
        violation_codes=('"' * 64,) * 32,
        operation="embeddings",
        canonical_model=text,
        upstream_model=text,
        attempt=2**53 - 1,
        retry_count=2**53 - 1,
        occurred_at=1,
        hidden=Hidden(
            api_key_id="x" * 1024,
            client_request_id="x" * 1024,
            ip_address="x" * 1024,
            request_sha256=HASH,
            source_id="x" * 1024,
            tags=("x" * 128,) * 32,
            user="x" * 1024,
            user_agent="x" * 1024,
        ),
    )
    data = prepare(worst, bytes(16)).complete(2**53 - 1, 253_402_300_799_999_999)
    assert MAX_RECORD // 2 < len(data) <= MAX_RECORD
    assert parse_record(data).record == replace(worst, hidden=Hidden())


def test_a_record_over_the_limit_is_refused() -> None:
    """Only an event can be too long, by its detail, and then it is refused as a whole."""
    with pytest.raises(InvalidRecord, match="the limit is 65534"):
        prepare(Event(id="audit_1", action="a", target="t", detail={"names": ["x" * 1000] * 66}))
    with pytest.raises(InvalidRecord, match="the limit is 65534"):
        parse_record(b'"' + b"x" * MAX_RECORD + b'"')


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"v": 2}, "v"),
        ({"v": True}, "v"),
        ({"v": "1"}, "v"),
        ({"type": "verdict"}, "type"),
        ({"type": ["decision"]}, "type"),
        ({"type": "mark"}, "allowed"),
        ({"seq": "1"}, "seq"),
        ({"seq": True}, "seq"),
        ({"timestamp": 0}, "timestamp"),
        ({"timestamp": "1970-01-01T00:00:00.000000Z"}, "timestamp"),
        ({"loggedAt": "1970-01-01T00:00:00Z"}, "timestamp"),
        ({"colour": "red"}, "colour"),
        ({"tags": ["a"]}, "tags"),
        ({"hidden": "x"}, "hidden"),
        ({"hidden": {"actor": HASH}}, "hidden.actor"),
        ({"hidden": {"user": "x"}}, "hidden.user"),
        ({"hidden": {"user": 1}}, "hidden.user"),
        ({"violationReasons": "x"}, "violationReasons"),
        ({"violationReasons": [1]}, "violationReasons"),
        ({"model": 1}, "model"),
        ({"allowed": "true"}, "allowed"),
    ],
)
def test_a_reader_refuses_what_version_1_does_not_have(members: dict[str, Any], field: str) -> None:
    """Unknown names, types and versions are refused although the bytes are canonical."""
    with pytest.raises(InvalidRecord) as caught:
        parse_record(encoded(DECISION, **members))
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("record", "members"),
    [
        (Mark(), {"loggedAt": "1970-01-01T00:00:00Z"}),
        (Mark(), {"hidden": {"user": HASH}}),
        (Gap(start=0, end=1, reason="r"), {"from": 0}),
        (Event(id="i", action="a", head=HEAD), {"head": {"root": HASH}}),
        (Event(id="i", action="a", head=HEAD), {"head": {"root": HASH, "size": 1, "time": 1}}),
        (Event(id="i", action="a", head=HEAD), {"head": [1]}),
        (Event(id="i", action="a", detail={"n": 1}), {"detail": [1]}),
        (LogStart(origin="o", keys=("k",)), {"previous": {"origin": "o"}}),
    ],
)
def test_a_reader_refuses_malformed_members(record: Record, members: dict[str, Any]) -> None:
    """Objects within a record have exactly their own members."""
    with pytest.raises(InvalidRecord):
        parse_record(encoded(record, **members))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b" " + data,
        lambda data: data + b"\n",
        lambda data: data.replace(b":1,", b":1.0,"),
        lambda data: data.replace(b":1,", b":1e0,"),
        lambda data: data.replace(b'"gpt-4o"', b'"gpt\\u002d4o"'),
        lambda data: data.replace(b'"gpt-4o"', b'"gpt\\/4o"'),
        lambda data: data.replace(b'"gpt-4o"', b'"gpt-4o","model":"gpt-4o"'),
        lambda data: data.replace(b'"gpt-4o"', b'"gpt-4o","operation":null'),
        lambda data: data.replace(b'"gpt-4o"', b'"\xed\xa0\x80"'),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda _: b"[" * 60_000,
        lambda _: b"null",
    ],
)
def test_a_reader_refuses_other_bytes_of_the_same_meaning(change: Any) -> None:
    """A record has one form; anything else would have another hash for the same entry."""
    with pytest.raises(InvalidRecord):
        parse_record(change(encoded(DECISION)))


def test_an_imported_decision_keeps_its_own_time() -> None:
    """The source's time stands in `timestamp`, the log time beside it in `loggedAt`."""
    data = prepare(IMPORTED).complete(2, 1_000_000)
    members = json.loads(data)
    assert (members["timestamp"], members["loggedAt"]) == ("1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z")
    assert (parse_record(data).log_time, parse_record(data).record) == (1_000_000, IMPORTED)


def test_a_stored_record_is_rebuilt_from_its_salt() -> None:
    """The bytes come from the row alone."""
    record = replace(DECISION, hidden=Hidden(user="u"))
    data = prepare(record, bytes(16)).complete(3, 5)
    assert record_bytes(Stored(seq=3, log_time=5, leaf_hash=b"", record=record, salt=bytes(16))) == data


def test_fields_are_named_as_in_the_record() -> None:
    """The fields of a record can be shown without its place."""
    assert fields_of(replace(DECISION, policy_slot=3))["policySlot"] == 3
    assert "hidden" not in fields_of(DECISION)
