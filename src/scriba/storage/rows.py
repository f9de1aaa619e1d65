"""Between a record and its hot row.

A decision has a column for each of its fields, since people filter and group by them. The other types are
few and keep their fields together in `detail`. Hidden values always have columns of their own, because they
can be erased.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from scriba.domain.address import address_bytes
from scriba.domain.record import Decision, Event, Hidden, Outcome, Record, Source, Stored
from scriba.storage.tables import records

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COLUMNS", "PLACED_COLUMNS", "Row", "row_tail", "stored_of"]

Row: TypeAlias = tuple[object, ...]

PLACED_COLUMNS: Final = ("log_id", "seq", "log_time", "timestamp", "leaf_hash")
"""What only the holder of the log's head knows; the other columns are ready before."""

COLUMNS: Final = tuple(column.name for column in records.columns)

_encode = msgspec.json.Encoder().encode
_decode_record = msgspec.json.Decoder(Record).decode
_decode_texts = msgspec.json.Decoder(tuple[str, ...]).decode
_NO_HIDDEN: Final = Hidden()
_NOT_A_DECISION: Final = (None,) * 21  # request_id to occurred_at


class _Openings(msgspec.Struct, frozen=True, rename="camel"):
    """What is kept of the hidden fields after an erasure."""

    commitments: dict[str, str]
    field_keys: dict[str, str]


_decode_openings = msgspec.json.Decoder(_Openings).decode


def row_tail(record: Record, salt: bytes) -> Row:
    """Return the columns after `PLACED_COLUMNS` of a new record, in the order of the table."""
    if isinstance(record, Decision):
        return ("decision", salt, None, None, None, *_decision_columns(record), *_hidden_columns(record.hidden))
    decision_seq = record.decision if isinstance(record, Outcome) else None
    identifier = record.id if isinstance(record, Event) else None
    hidden = record.hidden if isinstance(record, Event) else _NO_HIDDEN
    bare = msgspec.structs.replace(record, hidden=_NO_HIDDEN) if isinstance(record, Event) else record
    return (
        record.__struct_config__.tag,
        salt if isinstance(record, Event) else None,
        None,
        _encode(bare).decode(),
        decision_seq,
        identifier,
        *_NOT_A_DECISION,
        *_hidden_columns(hidden),
    )


def _decision_columns(d: Decision) -> Row:
    return (
        d.id,
        d.request_id,
        d.model,
        d.canonical_model or None,
        d.upstream_model or None,
        d.operation or None,
        d.provider or None,
        d.requested_provider or None,
        d.policy_id,
        d.policy_name,
        d.policy_slot,
        d.policy_version,
        d.policy_sha256 or None,
        d.catalogue_sha256 or None,
        d.allowed,
        d.enforcement,
        _encode(d.violation_reasons).decode() if d.violation_reasons else "[]",
        _encode(d.violation_codes).decode() if d.violation_codes else "[]",
        d.source,
        d.attempt,
        d.retry_count,
        d.occurred_at,
    )


def _hidden_columns(hidden: Hidden) -> Row:
    return (
        hidden.actor or None,
        hidden.api_key_id or None,
        hidden.client_request_id or None,
        hidden.ip_address or None,
        hidden.request_sha256 or None,
        hidden.source_id or None,
        _encode(hidden.tags).decode() if hidden.tags else None,
        hidden.user or None,
        hidden.user_agent or None,
        address_bytes(hidden.ip_address) if hidden.ip_address else None,
    )


def stored_of(row: Sequence[Any], org_id: str) -> Stored:
    """Return the record of a row read as `COLUMNS`.

    :param org_id: the organisation whose log the row stands in
    """
    _, seq, log_time, timestamp, leaf_hash, kind, salt, openings, detail, _, *fields = row
    hidden = _hidden(fields[-10:-1])
    record: Record
    if kind == "decision":
        record = _decision(fields, org_id, timestamp, hidden)
    else:
        record = _decode_record(detail)
        if isinstance(record, Event):
            record = msgspec.structs.replace(record, hidden=hidden)
    kept = _decode_openings(openings) if openings else _Openings(commitments={}, field_keys={})
    return Stored(
        seq=seq,
        log_time=log_time,
        leaf_hash=bytes(leaf_hash),
        record=record,
        salt=bytes(salt) if salt else b"",
        commitments=kept.commitments,
        field_keys=kept.field_keys,
    )


def _decision(fields: Sequence[Any], org_id: str, timestamp: int, hidden: Hidden) -> Decision:
    (
        identifier,
        request_id,
        model,
        canonical_model,
        upstream_model,
        operation,
        provider,
        requested_provider,
        policy_id,
        policy_name,
        policy_slot,
        policy_version,
        policy_sha256,
        catalogue_sha256,
        allowed,
        enforcement,
        reasons,
        codes,
        source,
        attempt,
        retry_count,
        occurred_at,
    ) = fields[:22]
    return Decision(
        id=identifier,
        org_id=org_id,
        request_id=request_id,
        model=model,
        canonical_model=canonical_model or "",
        upstream_model=upstream_model or "",
        operation=operation or "",
        provider=provider or "",
        requested_provider=requested_provider or "",
        policy_id=policy_id,
        policy_name=policy_name,
        policy_slot=policy_slot,
        policy_version=policy_version,
        policy_sha256=policy_sha256 or "",
        catalogue_sha256=catalogue_sha256 or "",
        allowed=bool(allowed),
        enforcement=enforcement,
        violation_reasons=_decode_texts(reasons),
        violation_codes=_decode_texts(codes),
        source=source,
        attempt=attempt,
        retry_count=retry_count,
        occurred_at=occurred_at,
        timestamp=timestamp if source == Source.IMPORT else None,
        hidden=hidden,
    )


def _hidden(columns: Sequence[Any]) -> Hidden:
    actor, api_key_id, client_request_id, ip_address, request_sha256, source_id, tags, user, user_agent = columns
    return Hidden(
        actor=actor or "",
        api_key_id=api_key_id or "",
        client_request_id=client_request_id or "",
        ip_address=ip_address or "",
        request_sha256=request_sha256 or "",
        source_id=source_id or "",
        tags=_decode_texts(tags) if tags else (),
        user=user or "",
        user_agent=user_agent or "",
    )
