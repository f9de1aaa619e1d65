"""The fields of each type of record: the table of the format, and the two ways through it."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scriba.domain.record import (
    HIDDEN_FIELDS,
    Decision,
    Ended,
    Enforcement,
    Event,
    Gap,
    ImportBatch,
    KeyChange,
    LogStart,
    Mark,
    Operation,
    Outcome,
    Record,
    Source,
)
from scriba.ledger.canonical import InvalidRecord
from scriba.ledger.hidden import check_hidden
from scriba.ledger.kinds import Attempt, Choice, Detail, Flag, Hash, Head, Kind, Number, Predecessor, Text, Texts, Time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["MAX_REASON", "MAX_REASONS", "TYPES", "Form", "form_of"]

MAX_REASONS: Final = 32
"""Reasons of one decision."""

MAX_REASON: Final = 512
"""Bytes of a reason."""

_ID: Final = Text(128)
_NAME: Final = Text(256)
_CODE: Final = 64
_REASON: Final = Text(MAX_REASON)
_KEYS: Final = Texts(32, 512)
_NO_FIELDS: Final[frozenset[str]] = frozenset()


class Field(NamedTuple):
    """One field: its name in the record, its attribute in the program, its kind."""

    name: str
    attribute: str
    kind: Kind
    required: bool = True


class Form:
    """The fields of one type of record, beside `v`, `type`, `seq`, log time and `hidden`."""

    def __init__(
        self,
        record: type[Record],
        *fields: Field,
        hidden: frozenset[str] = _NO_FIELDS,
        check: Callable[[Any], None] | None = None,
    ) -> None:
        self.record: Final = record
        self.type: Final[str] = str(record.__struct_config__.tag)
        self.fields: Final = fields
        self.hidden: Final = hidden
        self.names: Final = frozenset(field.name for field in fields)
        self._check: Final = check
        self._writers: Final = tuple((field.name, field.kind.write, field.required) for field in fields)
        self._values: Final = _getter([field.attribute for field in fields])

    def write(self, record: Record) -> dict[str, Any]:
        """Turn a record into JSON, leaving out what is absent; `hidden` is checked and not written.

        :raises InvalidRecord: naming the field
        """
        written: dict[str, Any] = {}
        for (name, write, required), value in zip(self._writers, self._values(record), strict=True):
            if not value and not isinstance(value, int):
                if required:
                    raise InvalidRecord(name, "is missing")
            elif (encoded := write(value, name)) is not None:
                written[name] = encoded
        self._check_whole(record)
        return written

    def read(self, members: Mapping[str, object]) -> Record:
        """Make the record from its JSON; `hidden` stays empty.

        :raises InvalidRecord: naming the field
        """
        values = {}
        for name, attribute, kind, required in self.fields:
            if name in members:
                values[attribute] = kind.read(members[name], name)
            elif required:
                raise InvalidRecord(name, "is missing")
        record = self.record(**values)
        self._check_whole(record)
        return record

    def _check_whole(self, record: Record) -> None:
        if self.hidden and isinstance(record, Decision | Event):
            check_hidden(record.hidden, self.hidden)
        if self._check is not None:
            self._check(record)


def form_of(record: Record) -> Form:
    """Return the form of a record's type."""
    return _FORMS[type(record)]


def _getter(attributes: list[str]) -> Callable[[Record], tuple[Any, ...]]:
    if len(attributes) > 1:
        return attrgetter(*attributes)
    return lambda record: tuple(getattr(record, attribute) for attribute in attributes)


def _check_decision(decision: Decision) -> None:
    if (decision.timestamp is not None) != (decision.source == Source.IMPORT):
        raise InvalidRecord("timestamp", "is given by an imported decision and by no other")
    if decision.occurred_at is not None and decision.source != Source.INGEST:
        raise InvalidRecord("occurredAt", "is given by an ingested decision and by no other")
    if decision.violation_codes and len(decision.violation_codes) != len(decision.violation_reasons):
        raise InvalidRecord("violationCodes", "must have one member for each of violationReasons")


def _check_gap(gap: Gap) -> None:
    if gap.start > gap.end:
        raise InvalidRecord("to", "is before from")


def _check_import(batch: ImportBatch) -> None:
    if batch.first_timestamp > batch.last_timestamp:
        raise InvalidRecord("lastTimestamp", "is before firstTimestamp")


_FORMS: Final[dict[type, Form]] = {
    form.record: form
    for form in (
        Form(
            LogStart,
            Field("keys", "keys", _KEYS),
            Field("orgId", "org_id", _ID, required=False),
            Field("origin", "origin", Text(240)),
            Field("previous", "previous", Predecessor(), required=False),
        ),
        Form(
            Decision,
            Field("allowed", "allowed", Flag()),
            Field("attempt", "attempt", Attempt(), required=False),
            Field("canonicalModel", "canonical_model", _NAME, required=False),
            Field("catalogueSha256", "catalogue_sha256", Hash(), required=False),
            Field("enforcement", "enforcement", Choice.of(Enforcement)),
            Field("id", "id", _ID),
            Field("model", "model", _NAME),
            Field("occurredAt", "occurred_at", Time(), required=False),
            Field("operation", "operation", Choice.of(Operation), required=False),
            Field("orgId", "org_id", _ID),
            Field("policyId", "policy_id", _ID),
            Field("policyName", "policy_name", _NAME),
            Field("policySha256", "policy_sha256", Hash(), required=False),
            Field("policySlot", "policy_slot", Number(1, 12), required=False),
            Field("policyVersion", "policy_version", Number(1), required=False),
            Field("provider", "provider", _NAME, required=False),
            Field("requestId", "request_id", _ID),
            Field("requestedProvider", "requested_provider", _NAME, required=False),
            Field("retryCount", "retry_count", Number(), required=False),
            Field("source", "source", Choice.of(Source)),
            Field("timestamp", "timestamp", Time(), required=False),
            Field("upstreamModel", "upstream_model", _NAME, required=False),
            Field("violationCodes", "violation_codes", Texts(MAX_REASONS, _CODE), required=False),
            Field("violationReasons", "violation_reasons", Texts(MAX_REASONS, MAX_REASON), required=False),
            hidden=frozenset(HIDDEN_FIELDS) - {"actor"},
            check=_check_decision,
        ),
        Form(
            Outcome,
            Field("decision", "decision", Number(1)),
            Field("durationMs", "duration_ms", Number()),
            Field("ended", "ended", Choice.of(Ended)),
            Field("inputTokens", "input_tokens", Number(), required=False),
            Field("outputTokens", "output_tokens", Number(), required=False),
            Field("status", "status", Number(100, 599)),
        ),
        Form(Mark),
        Form(
            Gap,
            Field("count", "count", Number(1), required=False),
            Field("from", "start", Time()),
            Field("reason", "reason", _REASON),
            Field("to", "end", Time()),
            check=_check_gap,
        ),
        Form(KeyChange, Field("keys", "keys", _KEYS)),
        Form(
            ImportBatch,
            Field("count", "count", Number(1, 10_000)),
            Field("firstTimestamp", "first_timestamp", Time()),
            Field("lastTimestamp", "last_timestamp", Time()),
            Field("sourceSha256", "source_sha256", Hash()),
            check=_check_import,
        ),
        Form(
            Event,
            Field("action", "action", _ID),
            Field("detail", "detail", Detail(), required=False),
            Field("head", "head", Head(), required=False),
            Field("id", "id", _ID),
            Field("target", "target", Text(512), required=False),
            hidden=frozenset({"actor", "ipAddress", "userAgent"}),
        ),
    )
}

TYPES: Final = {form.type: form for form in _FORMS.values()}
"""Form of each type, by its name in the record."""
