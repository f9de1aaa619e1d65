"""Receipts: signed statements that a record is durable, given out with every answer of the gateway.

The header is `1;<seq>;<log time>;<base64 leaf hash>;<base64 (key id ‖ signature)>`. The signature is over
five lines: `scriba-receipt/v1`, origin, seq, base64 leaf hash, log time. The second line of a checkpoint is a
number, so neither text can pass for the other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from scriba.domain.timestamp import InvalidTimestamp, format_timestamp, parse_timestamp
from scriba.merkle.note import InvalidNote, Signature, Verifier, decode_base64, encode_base64
from scriba.merkle.tree import HASH_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["InvalidReceipt", "Receipt", "check_receipt", "receipt_name"]

_FORM: Final = re.compile(r"1;(0|[1-9][0-9]{0,15});([^;]{20,27});([^;]{44});([^;]{92})")


class InvalidReceipt(ValueError):
    """Not a receipt, or not one of this log."""


class Receipt(NamedTuple):
    """What a receipt states: the record with this seq, log time and leaf hash is durable."""

    seq: int
    log_time: int
    leaf_hash: bytes

    def text(self, origin: str) -> str:
        """Return the five lines that are signed."""
        encoded = encode_base64(self.leaf_hash)
        return f"scriba-receipt/v1\n{origin}\n{self.seq}\n{encoded}\n{format_timestamp(self.log_time)}\n"

    def header(self, signature: Signature) -> str:
        """Return the value of the `X-Audit-Receipt` header."""
        signed = encode_base64(signature.key_id + signature.value)
        return f"1;{self.seq};{format_timestamp(self.log_time)};{encode_base64(self.leaf_hash)};{signed}"


def receipt_name(origin: str) -> str:
    """Name of the key that signs a log's receipts."""
    return origin + "/receipt"


def check_receipt(header: str, origin: str, verifiers: Iterable[Verifier]) -> Receipt:
    """Read a receipt and verify that it was signed for this log by one of the keys.

    :raises InvalidReceipt: if it is malformed, of another log, or not signed by a given key
    """
    match = _FORM.fullmatch(header)
    if match is None:
        raise InvalidReceipt(f"{header[:300]!r} is not a receipt")
    seq, log_time, leaf, signed = match.groups()
    try:
        receipt = Receipt(int(seq), parse_timestamp(log_time), decode_base64(leaf))
        blob = decode_base64(signed)
        verifier = _select(blob[:4], receipt_name(origin), verifiers)
        verifier.verify(receipt.text(origin), blob[4:])
    except (InvalidNote, InvalidTimestamp) as error:
        raise InvalidReceipt(f"the receipt is not valid: {error}") from error
    if len(receipt.leaf_hash) != HASH_SIZE:
        raise InvalidReceipt("the leaf hash of the receipt does not have 32 bytes")
    return receipt


def _select(key_id: bytes, name: str, verifiers: Iterable[Verifier]) -> Verifier:
    for verifier in verifiers:
        if verifier.name == name and verifier.key_id == key_id:
            return verifier
    raise InvalidReceipt(f"the receipt is not signed by a known key of {name}")
