"""Forms that history comes in: our own entries, those of case.dev, and what LiteLLM logs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import msgspec

from scriba.audit.entry import EntryOutcome
from scriba.audit.table import members_of, text_of_cell
from scriba.audit.told import ToldEntry, read_entry
from scriba.domain.nearest import did_you_mean
from scriba.domain.record import Enforcement, Operation
from scriba.domain.timestamp import format_timestamp
from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["NOT_TOLD_ID", "NOT_TOLD_NAME", "Form", "check_header", "form_of", "read_cells", "read_document"]

NOT_TOLD_ID: Final = "gpol_not_told"
"""The policy of an entry whose source does not say which one it was."""

NOT_TOLD_NAME: Final = "Not told"


class Form(StrEnum):
    """What the entries of a source look like."""

    SCRIBA = "scriba"
    CASEDEV = "casedev"
    LITELLM = "litellm"


_ENTRY_NAMES: Final = frozenset(field.encode_name for field in msgspec.structs.fields(ToldEntry))
_CASEDEV_NAMES: Final = frozenset(
    {"id", "orgId", "apiKeyId", "requestId", "model", "provider", "policyId", "policyName", "policySlot", "allowed"}
    | {"enforcement", "violationReasons", "ipAddress", "userAgent", "timestamp"},
)
_COLUMNS: Final = {
    name: field.encode_name
    for field in msgspec.structs.fields(ToldEntry)
    for name in (field.name, field.encode_name)
    if field.name != "outcome"
}
"""Column of a CSV file to field of an entry: the snake case of the contract, or the name in the API."""

_OUTCOME_COLUMNS: Final = frozenset(f"outcome.{field.encode_name}" for field in msgspec.structs.fields(EntryOutcome))
"""Columns of our own export that nothing is taken from: a log of imports holds no outcomes."""

_NUMBERS: Final = frozenset({"policySlot", "policyVersion", "attempt", "seq"})
_LISTS: Final = frozenset({"violationReasons", "violationCodes", "tags"})
_FLAGS: Final = {"true": True, "false": False}
_SHORT: Final = "violations"


def form_of(text: str) -> Form:
    """Return the form with this name.

    :raises InvalidInput: there is none
    """
    if text not in Form.__members__.values():
        raise InvalidInput(
            f"format must be {', '.join(Form)}, not {text!r}.", param="format", hint=did_you_mean(text, Form)
        )
    return Form(text)


def read_document(document: object, form: Form) -> ToldEntry:
    """Read one entry from its JSON.

    :raises InvalidInput: naming the field
    """
    if form is Form.LITELLM:
        return _of_litellm(document)
    return read_entry(document, _CASEDEV_NAMES if form is Form.CASEDEV else _ENTRY_NAMES)


def read_cells(header: Sequence[str], cells: Sequence[str], form: Form) -> ToldEntry:
    """Read one entry from a line of CSV.

    :raises InvalidInput: naming the column
    """
    if len(cells) != len(header):
        raise InvalidInput(f"The line has {len(cells)} cells and the header {len(header)}.")
    document: dict[str, object] = {"policyId": NOT_TOLD_ID}
    for column, cell in zip(header, cells, strict=True):
        text = text_of_cell(cell) if form is Form.SCRIBA else cell
        if not text or column in _OUTCOME_COLUMNS:
            continue
        if column == _SHORT:
            document.setdefault("violationReasons", text.split("; "))
        else:
            name = _COLUMNS[column]
            document[name] = _cell_value(name, text)
    return read_document(document, form)


def check_header(header: Sequence[str]) -> None:
    """Check the header of a CSV file.

    :raises InvalidInput: a column is not known or occurs twice
    """
    for column in header:
        if column not in _COLUMNS and column != _SHORT and column not in _OUTCOME_COLUMNS:
            known = [*(field.name for field in msgspec.structs.fields(ToldEntry)), _SHORT]
            raise InvalidInput(
                f"There is no column {column[:100]!r}.", param=column[:100], hint=did_you_mean(column[:100], known)
            )
        if header.count(column) > 1:
            raise InvalidInput(f"The column {column!r} occurs twice.", param=column)


def _cell_value(name: str, text: str) -> object:
    if name in _NUMBERS and text.isascii() and text.isdigit():
        return int(text)
    if name == "allowed":
        return _FLAGS.get(text, text)
    if name in _LISTS:
        return members_of(text)
    return text


_OPERATIONS: Final = {
    "completion": Operation.CHAT,
    "embedding": Operation.EMBEDDINGS,
    "responses": Operation.RESPONSES,
    "anthropic_messages": Operation.MESSAGES,
}
_BLOCKS: Final = frozenset({"blocked", "guardrail_intervened"})
_BLOCKING_ERRORS: Final = frozenset({"BudgetExceededError", "RejectedRequestError"})
_MAX_REASON: Final = 500
_LITELLM_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _of_litellm(document: object) -> ToldEntry:
    """Map LiteLLM's StandardLoggingPayload (https://docs.litellm.ai/docs/proxy/logging_spec).

    It tells of no policy. A call counts as refused where a guardrail or a budget stopped it; one that failed at the
    provider had been let through.
    """
    if not isinstance(document, dict):
        raise InvalidInput("An entry is a JSON object.")
    metadata = document.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise InvalidInput("`metadata` must be an object.", param="metadata")
    reason = _stopped_by(document)
    provider = _text(document, "custom_llm_provider")
    return ToldEntry(
        id=_text(document, "id"),
        request_id=_text(document, "trace_id") or _text(document, "id"),
        timestamp=_started(document),
        model=_required(document, "model"),
        provider=None if reason else provider,
        requested_provider=provider,
        policy_id=NOT_TOLD_ID,
        policy_name=NOT_TOLD_NAME,
        allowed=not reason,
        enforcement=Enforcement.HARD_BLOCK if reason else Enforcement.WARN,
        violation_reasons=(reason,) if reason else None,
        api_key_id=_text(metadata, "user_api_key_hash"),
        ip_address=_text(metadata, "requester_ip_address") or _text(document, "requester_ip_address"),
        user=_text(document, "end_user") or _text(metadata, "user_api_key_user_id"),
        tags=_texts(document, "request_tags"),
        operation=_OPERATIONS.get((_text(document, "call_type") or "").removeprefix("a")) or _operation(document),
    )


def _operation(document: Mapping[str, Any]) -> str | None:
    return _OPERATIONS.get(_text(document, "call_type") or "")


def _stopped_by(document: Mapping[str, Any]) -> str:
    """Return why LiteLLM itself refused the call, or nothing."""
    for guardrail in _objects(document.get("guardrail_information")):
        if guardrail.get("guardrail_status") in _BLOCKS:
            return f"Blocked by guardrail '{_text(guardrail, 'guardrail_name') or 'unnamed'}'"
    error = document.get("error_information")
    if isinstance(error, dict) and error.get("error_class") in _BLOCKING_ERRORS:
        said = _text(document, "error_str") or _text(error, "error_class") or ""
        return "".join(character if character.isprintable() else " " for character in said)[:_MAX_REASON]
    return ""


def _objects(value: object) -> list[dict[str, Any]]:
    """Guardrails come as one object or as a list of them."""
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


def _started(document: Mapping[str, Any]) -> str:
    value = document.get("startTime")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput("`startTime` must be a time in seconds since 1970.", param="startTime")
    try:
        moment = _LITELLM_EPOCH + timedelta(seconds=value)
        return format_timestamp((moment - _LITELLM_EPOCH) // timedelta(microseconds=1))
    except (OverflowError, ValueError):
        raise InvalidInput("`startTime` is not in the years 1970 to 9999.", param="startTime") from None


def _required(document: Mapping[str, Any], name: str) -> str:
    text = _text(document, name)
    if not text:
        raise InvalidInput(f"`{name}` is missing.", param=name)
    return text


def _text(document: Mapping[str, Any], name: str) -> str | None:
    value = document.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidInput(f"`{name}` must be text.", param=name)
    return value


def _texts(document: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise InvalidInput(f"`{name}` must be a list of texts.", param=name)
    return tuple(value)
