"""Cost of each step of an append, in µs of one core: `python bench/ledger.py`."""

from __future__ import annotations

import os
import timeit
from typing import TYPE_CHECKING

from scriba.domain.ids import mint_id
from scriba.domain.record import Decision, Hidden, Stored
from scriba.domain.secret import Secret
from scriba.domain.timestamp import format_timestamp
from scriba.ledger.hidden import commitments
from scriba.ledger.keys import LogKeys
from scriba.ledger.origin import Origin
from scriba.ledger.record import parse_record, prepare, record_bytes
from scriba.ledger.seal import EMPTY_HEAD, seal
from scriba.merkle.tree import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_736_519_400_250_000
DECISION = Decision(
    id=mint_id("audit"),
    org_id=mint_id("org"),
    request_id=mint_id("req"),
    model="claude-sonnet-4-20250514",
    canonical_model="claude-sonnet-4",
    upstream_model="claude-sonnet-4-20250514",
    operation="chat",
    allowed=True,
    enforcement="hard_block",
    policy_id=mint_id("gpol"),
    policy_name="Production - HIPAA",
    policy_slot=1,
    policy_version=3,
    policy_sha256="ab" * 32,
    catalogue_sha256="cd" * 32,
    provider="anthropic",
    requested_provider="anthropic",
    source="gateway",
    hidden=Hidden(
        api_key_id=mint_id("key"),
        ip_address="198.51.100.7",
        request_sha256="ef" * 32,
        user_agent="OpenAI/Python 3.57.0",
    ),
)


def measure(step: str, function: Callable[[], object], count: int = 20_000, each: int = 1) -> None:
    """Print the best of five rounds, divided by the number of records that one call handles."""
    best = min(timeit.repeat(function, number=count, repeat=5)) / count / each
    print(f"{step:44} {best * 1e6:8.2f}")


def main() -> None:
    """Measure and print."""
    salt = os.urandom(16)
    prepared = prepare(DECISION, salt)
    data = prepared.complete(15_420, NOW)
    leaf = leaf_hash(data)
    keys = LogKeys(Secret(os.urandom(32)), Origin("scriba.example.com", DECISION.org_id, "requests"))
    head = EMPTY_HEAD.append([leaf] * 15_419, NOW)
    stored = Stored(seq=15_420, log_time=NOW, leaf_hash=leaf, record=DECISION, salt=salt)
    batch = [leaf] * 64
    print(f"{'a decision of ' + str(len(data)) + ' bytes, 4 hidden fields':44} {'µs':>8}")
    measure("mint an id", lambda: mint_id("audit"))
    measure("write a time (not cached)", lambda: format_timestamp.__wrapped__(NOW))
    measure("four commitments", lambda: commitments(DECISION.hidden, salt))
    measure("prepare, commitments included", lambda: prepare(DECISION, salt))
    measure("complete", lambda: prepared.complete(15_420, NOW))
    measure("complete and hash", lambda: leaf_hash(prepared.complete(15_420, NOW)))
    measure("extend the frontier, in batches of 64", lambda: head.append(batch, NOW), 500, each=64)
    measure("seal a head", lambda: seal(head, keys.head_key))
    measure("sign a receipt", lambda: keys.sign_receipt(15_420, leaf, NOW), 2_000)
    measure("sign a checkpoint", lambda: keys.sign_checkpoint(15_420, leaf), 2_000)
    measure("rebuild the bytes of a row and hash", lambda: leaf_hash(record_bytes(stored)))
    measure("parse the bytes of a record", lambda: parse_record(data))


if __name__ == "__main__":
    main()
