"""Records of every type, drawn at random, against plain dictionaries and a second encoder."""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from scriba.domain.record import (
    HIDDEN_FIELDS,
    Decision,
    Ended,
    Enforcement,
    Event,
    Gap,
    Hidden,
    ImportBatch,
    KeyChange,
    LogStart,
    Mark,
    Operation,
    Outcome,
    Previous,
    Record,
    Source,
    Stored,
    TreeHead,
)
from scriba.domain.timestamp import format_timestamp
from scriba.ledger.canonical import MAX_INTEGER, MAX_RECORD, InvalidRecord, canonical_json
from scriba.ledger.fields import form_of
from scriba.ledger.hidden import commitments, field_keys
from scriba.ledger.record import fields_of, parse_record, prepare, record_bytes
from scriba.merkle.tree import leaf_hash

MAX_MICROS = 253_402_300_799_999_999
LOGGABLE = st.characters(codec="utf-8", min_codepoint=32, exclude_categories=["Cs"], exclude_characters="\x7f")


def texts(limit: int) -> st.SearchStrategy[str]:
    """Draw short texts that may be logged; the limits themselves are tried elsewhere."""
    return st.text(LOGGABLE, min_size=1, max_size=min(limit // 4, 12))


def or_absent(strategy: st.SearchStrategy[Any], absent: Any = "") -> st.SearchStrategy[Any]:
    """Draw from the strategy, or the value that means absent."""
    return st.just(absent) | strategy


def tuples(strategy: st.SearchStrategy[str], largest: int = 2) -> st.SearchStrategy[tuple[str, ...]]:
    """Draw short tuples."""
    return st.lists(strategy, max_size=largest).map(tuple)


ids = texts(128)
names = texts(256)
numbers = st.integers(0, MAX_INTEGER)
times = st.integers(0, MAX_MICROS)
digests = st.binary(min_size=32, max_size=32)
hexes = digests.map(bytes.hex)
heads = st.builds(TreeHead, size=numbers, root=digests)
keys = st.lists(texts(512), min_size=1, max_size=3).map(tuple)
salts = st.binary(min_size=16, max_size=16)
hidden = st.builds(
    Hidden,
    api_key_id=or_absent(ids),
    client_request_id=or_absent(names),
    ip_address=or_absent(names),
    request_sha256=or_absent(hexes),
    source_id=or_absent(names),
    tags=tuples(texts(128)),
    user=or_absent(names),
    user_agent=or_absent(texts(1024)),
)


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    """Draw a decision of any source."""
    source = draw(st.sampled_from(Source))
    reasons = draw(tuples(texts(512)))
    codes = tuple("code" for _ in reasons) if draw(st.booleans()) else ()
    optional = {
        "policy_slot": st.integers(1, 12),
        "policy_version": st.integers(1, 9),
        "attempt": st.integers(2, 9),
        "retry_count": st.integers(0, 9),
    }
    return Decision(
        source=source,
        id=draw(ids),
        org_id=draw(ids),
        request_id=draw(ids),
        model=draw(names),
        allowed=draw(st.booleans()),
        enforcement=draw(st.sampled_from(Enforcement)),
        policy_id=draw(ids),
        policy_name=draw(names),
        policy_sha256=draw(or_absent(hexes)),
        catalogue_sha256=draw(or_absent(hexes)),
        provider=draw(or_absent(names)),
        requested_provider=draw(or_absent(names)),
        violation_reasons=reasons,
        violation_codes=codes,
        operation=draw(or_absent(st.sampled_from(Operation))),
        canonical_model=draw(or_absent(names)),
        upstream_model=draw(or_absent(names)),
        occurred_at=draw(or_absent(times, None)) if source == Source.INGEST else None,
        timestamp=draw(times) if source == Source.IMPORT else None,
        hidden=draw(hidden),
        **{name: draw(or_absent(strategy, None)) for name, strategy in optional.items()},
    )


details: st.SearchStrategy[Any] = st.dictionaries(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8),
    st.recursive(
        st.booleans() | numbers | names,
        lambda inner: (
            st.lists(inner, min_size=1, max_size=3)
            | st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=3)
        ),
        max_leaves=5,
    ),
    max_size=4,
)
spans = st.tuples(times, times).map(sorted)
others: st.SearchStrategy[Record] = st.one_of(
    st.builds(
        LogStart,
        origin=texts(240),
        keys=keys,
        org_id=or_absent(ids),
        previous=or_absent(st.builds(Previous, origin=texts(240), kept=heads, signed=heads, reason=texts(512)), None),
    ),
    st.builds(
        Outcome,
        decision=st.integers(1, MAX_INTEGER),
        status=st.integers(100, 599),
        duration_ms=numbers,
        ended=st.sampled_from(Ended),
        input_tokens=or_absent(numbers, None),
        output_tokens=or_absent(numbers, None),
    ),
    st.builds(Mark),
    st.builds(
        lambda span, reason, count: Gap(start=span[0], end=span[1], reason=reason, count=count),
        spans,
        texts(512),
        or_absent(st.integers(1, MAX_INTEGER), None),
    ),
    st.builds(KeyChange, keys=keys),
    st.builds(
        lambda span, count, digest: ImportBatch(
            first_timestamp=span[0], last_timestamp=span[1], count=count, source_sha256=digest
        ),
        spans,
        st.integers(1, 10_000),
        hexes,
    ),
    st.builds(
        Event,
        id=ids,
        action=ids,
        target=or_absent(texts(512)),
        detail=details,
        head=or_absent(heads, None),
        hidden=st.builds(Hidden, actor=or_absent(names), ip_address=or_absent(names), user_agent=or_absent(names)),
    ),
)
records: st.SearchStrategy[Record] = decisions() | others


def hidden_of(record: Record) -> Hidden:
    """Return the hidden values of a record, if it can have any."""
    return record.hidden if isinstance(record, Decision | Event) else Hidden()


def without_hidden(record: Record) -> Record:
    """Return the record as its bytes show it."""
    return msgspec.structs.replace(record, hidden=Hidden()) if isinstance(record, Decision | Event) else record


@given(records, salts, numbers, times)
def test_bytes_are_the_canonical_form_of_all_fields(record: Record, salt: bytes, seq: int, log_time: int) -> None:
    """Encoding in two steps gives what RFC 8785, and plain `json`, give for the whole object."""
    whole = fields_of(record, commitments(hidden_of(record), salt))
    whole["seq"] = seq
    whole["loggedAt" if "timestamp" in whole else "timestamp"] = format_timestamp(log_time)
    data = prepare(record, salt).complete(seq, log_time)
    assert data == rfc8785.dumps(json.loads(json.dumps(whole)))
    assert data == json.dumps(whole, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


@given(records, salts, numbers, times)
def test_a_record_reads_back_as_it_was(record: Record, salt: bytes, seq: int, log_time: int) -> None:
    """All but the hidden values comes back from the bytes, and the bytes from what came back."""
    data = prepare(record, salt).complete(seq, log_time)
    stored = parse_record(data)
    assert (stored.seq, stored.log_time, stored.record) == (seq, log_time, without_hidden(record))
    assert stored.commitments == commitments(hidden_of(record), salt)
    assert stored.leaf_hash == leaf_hash(data)
    assert record_bytes(stored) == data


@given(decisions(), salts, st.data())
def test_any_erasure_keeps_the_bytes(decision: Decision, salt: bytes, data: st.DataObject) -> None:
    """Whichever hidden values are erased, commitments and the other keys give the same bytes."""
    committed = commitments(decision.hidden, salt)
    kept = data.draw(st.sets(st.sampled_from(sorted(committed)))) if committed else set()
    erased = {
        attribute: msgspec.structs.asdict(Hidden())[attribute]
        for attribute in map(HIDDEN_FIELDS.get, committed)
        if attribute
    }
    survivors = {HIDDEN_FIELDS[name]: getattr(decision.hidden, HIDDEN_FIELDS[name]) for name in kept}
    left = msgspec.structs.replace(decision.hidden, **{**erased, **survivors})
    stored = Stored(
        seq=1,
        log_time=0,
        leaf_hash=b"",
        record=msgspec.structs.replace(decision, hidden=left),
        commitments=data.draw(st.sampled_from([committed, {n: c for n, c in committed.items() if n not in kept}])),
        field_keys=field_keys(salt, kept),
    )
    assert record_bytes(stored) == prepare(decision, salt).complete(1, 0)


@given(hidden, salts)
def test_commitments_are_two_hmacs(values: Hidden, salt: bytes) -> None:
    """The quick way to the commitments gives what RFC 2104 gives, written out."""
    for name, commitment in commitments(values, salt).items():
        value = getattr(values, HIDDEN_FIELDS[name])
        encoded = value.encode() if isinstance(value, str) else rfc8785.dumps(list(value))
        key = hmac.new(salt, b"scriba/v1/field\0" + name.encode(), sha256).digest()
        assert commitment == hmac.new(key, encoded, sha256).hexdigest()


@given(decisions(), st.sampled_from(["model", "policy_name", "id", "user", "tags", "violation_reasons"]), st.data())
def test_hostile_characters_are_refused(decision: Decision, attribute: str, data: st.DataObject) -> None:
    """A control character or half a surrogate pair anywhere in a text is refused, and the field is named."""
    bad = data.draw(st.sampled_from(["\x00", "\n", "\t", "\x1f", "\x7f", "\ud800", "\udfff"]))
    text = data.draw(texts(80)) + bad + data.draw(texts(80))
    value = (text,) if attribute in ("tags", "violation_reasons") else text
    if attribute in HIDDEN_FIELDS.values():
        broken = msgspec.structs.replace(
            decision, hidden=msgspec.structs.replace(decision.hidden, **{attribute: value})
        )
    else:
        broken = msgspec.structs.replace(decision, violation_codes=(), **{attribute: value})
    with pytest.raises(InvalidRecord) as caught:
        prepare(broken, bytes(16))
    assert caught.value.field.lower() == attribute.replace("_", "")


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_what_canonical_json_accepts_has_one_form(value: Any) -> None:
    """Whatever is accepted is encoded as RFC 8785 says and decodes to itself."""
    try:
        data = canonical_json(value)
    except InvalidRecord:
        return
    assert data == rfc8785.dumps(value)
    assert json.loads(data) == value


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_hostile_bytes_raise_only_our_error(data: bytes) -> None:
    """Bytes that are no record are refused by name, whatever they are."""
    with pytest.raises(InvalidRecord):
        parse_record(data)


@given(records, salts, st.data())
def test_altered_bytes_never_pass_for_the_same_record(record: Record, salt: bytes, data: st.DataObject) -> None:
    """A record with one byte changed, added or removed is refused or has another hash."""
    original = prepare(record, salt).complete(7, 1_736_519_400_000_000)
    place = data.draw(st.integers(0, len(original) - 1))
    piece = data.draw(st.binary(max_size=2))
    altered = original[:place] + piece + original[place + 1 :]
    try:
        stored = parse_record(altered)
    except InvalidRecord:
        return
    assert record_bytes(stored) == altered
    assert altered == original or stored.leaf_hash != leaf_hash(original)


@given(
    records,
    salts,
    st.dictionaries(st.sampled_from(["x", "v", "seq", "type", "loggedAt", "hidden", "model"]), json_values, min_size=1),
)
def test_other_fields_never_pass(record: Record, salt: bytes, extra: dict[str, Any]) -> None:
    """Fields that are unknown or have another type are refused, though the JSON is canonical."""
    members = json.loads(prepare(record, salt).complete(7, 0)) | extra
    data = json.dumps(members, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    try:
        stored = parse_record(data)
    except InvalidRecord:
        return
    assert members.keys() - {"v", "type", "seq", "timestamp", "loggedAt", "hidden"} <= form_of(stored.record).names
    assert record_bytes(stored) == data
    assert len(data) <= MAX_RECORD
