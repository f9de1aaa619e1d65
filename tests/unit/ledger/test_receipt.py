"""Receipts in other hands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriba.domain.secret import Secret
from scriba.ledger.keys import LogKeys
from scriba.ledger.origin import Origin
from scriba.ledger.receipt import InvalidReceipt, Receipt, check_receipt
from scriba.merkle.note import InvalidNote, parse_checkpoint, parse_vkey

KEYS = LogKeys(Secret(bytes(32)), Origin("a", "org_1", "requests"))
HEADER = KEYS.sign_receipt(7, bytes(32), 1_000_001)
VERIFIER = parse_vkey(KEYS.vkeys[1])


def test_a_receipt_says_what_was_signed() -> None:
    """Seq, time and hash come out of the header."""
    assert check_receipt(HEADER, KEYS.origin, [VERIFIER]) == Receipt(7, 1_000_001, bytes(32))


@pytest.mark.parametrize(
    "header",
    [
        HEADER.replace("1;7;", "1;8;"),
        HEADER.replace("1;7;", "2;7;"),
        HEADER.replace("1;7;", "1;07;"),
        HEADER.replace("000001Z", "000002Z"),
        HEADER.replace("1970-01-01T00:00:01.000001Z", "1970-01-01T00:00:61.000001Z"),
        HEADER.replace(";A", ";B"),
        HEADER.replace("A=;", "B=;"),
        HEADER + ";",
        HEADER + "\n",
        HEADER[:-4] + "AAA=",
        HEADER[:-4],
        "",
    ],
)
def test_an_altered_receipt_is_refused(header: str) -> None:
    """No part of a receipt can be changed or written in another way."""
    assert header != HEADER
    with pytest.raises(InvalidReceipt):
        check_receipt(header, KEYS.origin, [VERIFIER])


def test_a_receipt_counts_for_its_log_and_key_alone() -> None:
    """It is no receipt of another log, nor under the key of the log's checkpoints."""
    with pytest.raises(InvalidReceipt):
        check_receipt(HEADER, KEYS.origin.replace("org_1", "org_2"), [VERIFIER])
    with pytest.raises(InvalidReceipt):
        check_receipt(HEADER, KEYS.origin, [parse_vkey(KEYS.vkeys[0])])
    with pytest.raises(InvalidReceipt):
        check_receipt(HEADER, KEYS.origin, [])


def test_a_receipt_never_passes_for_a_checkpoint() -> None:
    """The two texts differ in their second line."""
    with pytest.raises(InvalidNote):
        parse_checkpoint(Receipt(7, 0, bytes(32)).text(KEYS.origin))


@given(st.text(max_size=250) | st.from_regex(r"1;[0-9]{1,4};[0-9TZ:.-]{20,27};[A-Z=]{44};[A-Z=]{92}", fullmatch=True))
def test_hostile_receipts_raise_only_our_error(header: str) -> None:
    """No header breaks the reader."""
    with pytest.raises(InvalidReceipt):
        check_receipt(header, KEYS.origin, [VERIFIER])
