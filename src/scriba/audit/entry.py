"""An entry as the API shows it.

The fields and their order are those of the public contract: first the eleven that a list shows, then the
rest of its schema, then ours. What is absent is left out; only `provider` is always there, and null if the
request was refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from scriba.domain.timestamp import format_timestamp, parse_timestamp
from scriba.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ENTRY_COLUMNS", "Detail", "Entry", "EntryOutcome", "Position", "Proof", "entry_of"]


class Position(NamedTuple):
    """Where an entry stands in the order of lists: by time, then log, then place in the log.

    `timestamp` is in microseconds since 1970.
    """

    timestamp: int
    log: str
    seq: int


class EntryOutcome(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """How the upstream call ended: HTTP status given to the caller, milliseconds, who ended it, tokens."""

    status: int
    duration_ms: int
    ended: str
    input_tokens: int | None = None
    output_tokens: int | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One decision. `log` and `seq` say which record of which log it is.

    `outcome` is left out where it was not asked for, and until there is one.
    """

    id: str
    request_id: str
    timestamp: str
    model: str
    provider: str | None
    policy_id: str
    policy_name: str
    policy_slot: int | None = None
    allowed: bool
    enforcement: str
    violation_reasons: tuple[str, ...] = ()
    org_id: str
    api_key_id: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    log: str
    seq: int
    requested_provider: str | None = None
    policy_version: int | None = None
    policy_sha256: str | None = None
    violation_codes: tuple[str, ...] = ()
    operation: str | None = None
    canonical_model: str | None = None
    upstream_model: str | None = None
    attempt: int | None = None
    client_request_id: str | None = None
    request_sha256: str | None = None
    source: str
    source_id: str | None = None
    occurred_at: str | None = None
    tags: tuple[str, ...] = ()
    user: str | None = None
    outcome: EntryOutcome | None = None

    @property
    def position(self) -> Position:
        """Its place in the order of lists."""
        return Position(parse_timestamp(self.timestamp), self.log, self.seq)


class Proof(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the log can prove about an entry.

    `status` is `appended`: the entry is durable in the log named `origin`, as its record `seq`. `intact` says
    whether the stored entry still has the hash that was logged, `leafHash` (Base64, as in the receipt that its
    caller was given). `timestamp` is when it was logged and `treeSize` how many records the log has by now; those
    before `firstSeq` were purged.
    """

    status: str
    intact: bool
    origin: str
    seq: int
    leaf_hash: str
    timestamp: str
    tree_size: int
    first_seq: int = 0


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """One entry with all that belongs to it."""

    entry: Entry
    proof: Proof

    @property
    def outcome(self) -> EntryOutcome | None:
        """How its call ended, once it has."""
        return self.entry.outcome

    def fields(self) -> dict[str, object]:
        """Return one object: the fields of the entry, with `outcome` if there is one, then `proof`."""
        fields: dict[str, object] = msgspec.to_builtins(self.entry)
        return fields | {"proof": msgspec.to_builtins(self.proof)}


ENTRY_COLUMNS: Final = (
    "timestamp",
    "seq",
    "id",
    "request_id",
    "model",
    "provider",
    "policy_id",
    "policy_name",
    "policy_slot",
    "allowed",
    "enforcement",
    "violation_reasons",
    "api_key_id",
    "ip_address",
    "user_agent",
    "requested_provider",
    "policy_version",
    "policy_sha256",
    "violation_codes",
    "operation",
    "canonical_model",
    "upstream_model",
    "attempt",
    "client_request_id",
    "request_sha256",
    "source",
    "source_id",
    "occurred_at",
    "tags",
    "user_name",
)
"""The columns that an entry is made of, in the order that `entry_of` takes them in."""

_decode_texts: Final = msgspec.json.Decoder(tuple[str, ...]).decode


def entry_of(row: Sequence[Any], *, org_id: str, log: str) -> Entry:
    """Make an entry of a row read as `ENTRY_COLUMNS`.

    :raises IntegrityError: nobody can have written this row here
    """
    values = dict(zip(ENTRY_COLUMNS, row, strict=True))
    occurred_at = values.pop("occurred_at")
    try:
        return Entry(
            org_id=org_id,
            log=log,
            timestamp=format_timestamp(values.pop("timestamp")),
            allowed=bool(values.pop("allowed")),
            violation_reasons=_texts(values.pop("violation_reasons")),
            violation_codes=_texts(values.pop("violation_codes")),
            occurred_at=None if occurred_at is None else format_timestamp(occurred_at),
            tags=_texts(values.pop("tags")),
            user=values.pop("user_name"),
            **values,
        )
    except (ValueError, TypeError) as error:
        raise IntegrityError(
            f"Record {values['seq']} of the log {log!r} of {org_id} cannot be read: it was changed after it was logged."
        ) from error


def _texts(column: str | None) -> tuple[str, ...]:
    return () if column is None or column == "[]" else _decode_texts(column)
