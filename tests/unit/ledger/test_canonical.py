"""Canonical JSON."""

from __future__ import annotations

from typing import Any

import pytest

from scriba.ledger.canonical import MAX_INTEGER, InvalidRecord, canonical_json, check_text, document_json


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({}, "record"),
        ({"a": None}, "a"),
        ({"a": ""}, "a"),
        ({"a": []}, "a"),
        ({"a": {"b": {}}}, "a.b"),
        ({"a": [1, ""]}, "a[]"),
        ({"a": 1.0}, "a"),
        ({"a": -1}, "a"),
        ({"a": MAX_INTEGER + 1}, "a"),
        ({"a": b"bytes"}, "a"),
        ({"a": {1, 2}}, "a"),
        ({"a": "line\n"}, "a"),
        ({"a": "\x7f"}, "a"),
        ({"a": "\ud800"}, "a"),
        ({"é": 1}, "record"),
        ({"": 1}, "record"),
        ({"a\t": 1}, "record"),
        ({1: 1}, "record"),
    ],
)
def test_what_a_record_cannot_hold_is_refused(value: Any, field: str) -> None:
    """Null, empty, fractional, wide, negative, foreign and control values are refused, and the field is named."""
    with pytest.raises(InvalidRecord) as caught:
        canonical_json(value)
    assert caught.value.field == field
    assert str(caught.value).startswith(field)


def test_false_and_zero_are_values() -> None:
    """Only what means "absent" is refused."""
    assert canonical_json({"b": False, "a": 0, "c": (1, True)}) == b'{"a":0,"b":false,"c":[1,true]}'


def test_deep_nesting_is_refused() -> None:
    """A value nested without end is an error, not an exhausted stack."""
    deep: Any = 1
    for _ in range(16):
        deep = [deep]
    assert canonical_json(deep) == b"[" * 16 + b"1" + b"]" * 16
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidRecord, match="nested"):
        canonical_json(deep)


def test_documents_may_hold_what_records_may_not() -> None:
    """A policy with an empty list means something else than one without."""
    document: Any = {"note": "two\nlines\x7f", "allow": [], "block": None, "offset": -1, "empty": {}}
    assert document_json(document) == b'{"allow":[],"block":null,"empty":{},"note":"two\\nlines\x7f","offset":-1}'


@pytest.mark.parametrize("value", [1.5, 2**53, -(2**53), {"é": 1}, "\ud800", {"a": [object()]}])
def test_documents_without_one_form_are_refused(value: Any) -> None:
    """What other encoders could write otherwise gets no hash."""
    with pytest.raises(InvalidRecord):
        document_json(value)


def test_limits_count_bytes() -> None:
    """A limit is one of bytes, not of characters."""
    check_text("é" * 64, "model", 128)
    with pytest.raises(InvalidRecord, match="has 130 bytes; the limit is 128"):
        check_text("é" * 65, "model", 128)
