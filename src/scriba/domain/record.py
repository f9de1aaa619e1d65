"""The records of a log, as the program holds them.

A log is a sequence of records. Each type below is one row of the table in "Record and leaf"; the bytes
that are hashed are made from them in `scriba.ledger.record`. Times are whole microseconds since
1970-01-01T00:00:00Z, in UTC.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

__all__ = [
    "HIDDEN_FIELDS",
    "LOGS",
    "Decision",
    "Ended",
    "Enforcement",
    "Event",
    "Gap",
    "Hidden",
    "ImportBatch",
    "KeyChange",
    "LogStart",
    "Mark",
    "Operation",
    "Outcome",
    "Previous",
    "Record",
    "Source",
    "Stored",
    "TreeHead",
]

LOGS: Final = ("requests", "imports", "admin")
"""The logs of one organisation. The deployment itself has `admin` alone."""


class Enforcement(StrEnum):
    """What a policy does about a violation."""

    HARD_BLOCK = "hard_block"
    SOFT_BLOCK = "soft_block"
    WARN = "warn"


class Source(StrEnum):
    """Where a decision came from."""

    GATEWAY = "gateway"
    INGEST = "ingest"
    EVALUATE = "evaluate"
    IMPORT = "import"


class Operation(StrEnum):
    """The kind of LLM call that was asked for."""

    CHAT = "chat"
    RESPONSES = "responses"
    MESSAGES = "messages"
    EMBEDDINGS = "embeddings"


class Ended(StrEnum):
    """Who ended an upstream call."""

    COMPLETE = "complete"
    CLIENT = "client"
    UPSTREAM = "upstream"


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """Values that stand in a record only as commitments, and can therefore be erased.

    Empty text and an empty tuple mean absent.
    """

    actor: str = ""
    api_key_id: str = ""
    client_request_id: str = ""
    ip_address: str = ""
    request_sha256: str = ""
    source_id: str = ""
    tags: tuple[str, ...] = ()
    user: str = ""
    user_agent: str = ""


HIDDEN_FIELDS: Final = {
    "actor": "actor",
    "apiKeyId": "api_key_id",
    "clientRequestId": "client_request_id",
    "ipAddress": "ip_address",
    "requestSha256": "request_sha256",
    "sourceId": "source_id",
    "tags": "tags",
    "user": "user",
    "userAgent": "user_agent",
}
"""Name in the record to attribute of `Hidden`."""


class TreeHead(msgspec.Struct, frozen=True):
    """Size and root hash (32 bytes) of a log at one moment."""

    size: int
    root: bytes


class Previous(msgspec.Struct, frozen=True, kw_only=True):
    """What a later generation of a log says about the one before it."""

    origin: str
    kept: TreeHead
    signed: TreeHead
    reason: str


class LogStart(msgspec.Struct, frozen=True, kw_only=True, tag="log"):
    """Record 0 of every log: its origin and the verifier keys it starts with."""

    origin: str
    keys: tuple[str, ...]
    org_id: str = ""
    previous: Previous | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True, tag="decision"):
    """One LLM request and what policy said about it.

    `provider` is empty when the request was refused. `timestamp` is set only in `imports`, where it is
    the source's claim; elsewhere the log time is the timestamp.
    """

    id: str
    org_id: str
    request_id: str
    model: str
    allowed: bool
    enforcement: str
    policy_id: str
    policy_name: str
    source: str
    policy_slot: int | None = None
    policy_version: int | None = None
    policy_sha256: str = ""
    catalogue_sha256: str = ""
    provider: str = ""
    requested_provider: str = ""
    violation_reasons: tuple[str, ...] = ()
    violation_codes: tuple[str, ...] = ()
    operation: str = ""
    canonical_model: str = ""
    upstream_model: str = ""
    attempt: int | None = None
    retry_count: int | None = None
    occurred_at: int | None = None
    timestamp: int | None = None
    hidden: Hidden = Hidden()


class Outcome(msgspec.Struct, frozen=True, kw_only=True, tag="outcome"):
    """How the upstream call of decision `decision` (its seq in the same log) ended.

    `status` is the HTTP status given to the caller; `duration_ms` is in milliseconds.
    """

    decision: int
    status: int
    duration_ms: int
    ended: str
    input_tokens: int | None = None
    output_tokens: int | None = None


class Mark(msgspec.Struct, frozen=True, tag="mark"):
    """Closes a day or a period: nothing earlier can follow it."""


class Gap(msgspec.Struct, frozen=True, kw_only=True, tag="gap"):
    """Requests that were let through unlogged (`log_failure = "allow"`)."""

    start: int
    end: int
    reason: str
    count: int | None = None


class KeyChange(msgspec.Struct, frozen=True, kw_only=True, tag="keys"):
    """All verifier keys that are valid from here on."""

    keys: tuple[str, ...]


class ImportBatch(msgspec.Struct, frozen=True, kw_only=True, tag="import"):
    """Header of an import; exactly `count` decisions follow it in the same transaction."""

    count: int
    first_timestamp: int
    last_timestamp: int
    source_sha256: str


class Event(msgspec.Struct, frozen=True, kw_only=True, tag="event"):
    """A change of settings or an access to the log, in an `admin` log.

    `detail` holds numbers, names and hashes, never a document.
    """

    id: str
    action: str
    target: str = ""
    detail: dict[str, object] = {}
    head: TreeHead | None = None
    hidden: Hidden = Hidden()


Record: TypeAlias = Decision | Outcome | Mark | Gap | KeyChange | ImportBatch | Event | LogStart


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A record in its place in a log.

    `seq` is the leaf index, `log_time` the time minted for it. `salt` (16 bytes) opens the hidden fields.
    After an erasure it is empty, `commitments` keeps the commitment of every hidden field and `field_keys` the
    keys of those that were not erased.
    """

    seq: int
    log_time: int
    leaf_hash: bytes
    record: Record
    salt: bytes = b""
    commitments: dict[str, str] = {}
    field_keys: dict[str, str] = {}
