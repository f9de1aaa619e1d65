"""Entries as others tell them: decisions that another gateway made, and history that is brought in.

The names are those of an entry in the API. `null` and what is empty mean absent. Values are taken as they are told or
refused; nothing is repaired.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from scriba.audit.entry import EntryOutcome
from scriba.domain.nearest import did_you_mean
from scriba.domain.record import Decision, Hidden, Source
from scriba.domain.timestamp import InvalidTimestamp, parse_timestamp
from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Refused", "ToldEntry", "check_names", "decision_of", "moment_of", "read_entry", "requested_provider"]

_RFC3339: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]([01]\d|2[0-3]):\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_PLACE: Final = re.compile(r" - at `\$\.?(.*)`$")
_ASKED_FOR: Final = re.compile(
    r"Provider '([^']+)' (?:is China-based and blocked|does not meet minimum trust tier|does not offer zero data|"
    r"does not sign a BAA|is not HIPAA eligible|has no SOC 2|is not on the policy's allowlist|"
    r"is on the policy's blocklist|is not configured here)",
)
_SHOWN: Final = 100


class ToldEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """All that can be told of one decision. Which of it counts depends on how it comes in."""

    id: str | None = None
    request_id: str | None = None
    timestamp: str | None = None
    model: str
    provider: str | None = None
    policy_id: str
    policy_name: str
    policy_slot: int | None = None
    allowed: bool
    enforcement: str
    violation_reasons: tuple[str, ...] | None = None
    org_id: str | None = None
    api_key_id: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    log: str | None = None
    seq: int | None = None
    requested_provider: str | None = None
    policy_version: int | None = None
    policy_sha256: str | None = msgspec.field(default=None, name="policySha256")
    violation_codes: tuple[str, ...] | None = None
    operation: str | None = None
    canonical_model: str | None = None
    upstream_model: str | None = None
    attempt: int | None = None
    client_request_id: str | None = None
    request_sha256: str | None = msgspec.field(default=None, name="requestSha256")
    source: str | None = None
    source_id: str | None = None
    occurred_at: str | None = None
    tags: tuple[str, ...] | None = None
    user: str | None = None
    outcome: EntryOutcome | None = None


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """One entry that is not taken, and why.

    :param index: its place among those that were told, from 0
    :param param: the field at fault, as a path within the entry; None if it is the entry as a whole
    """

    index: int
    param: str | None
    message: str

    def error(self, *, alone: bool = False) -> InvalidInput:
        """Return the error that names index and field, or the field only of an entry that came alone."""
        if alone:
            return InvalidInput(self.message, param=self.param or "body")
        place = f"[{self.index}]" + (f".{self.param}" if self.param else "")
        return InvalidInput(f"Entry {self.index}: {self.message}", param=place)


def read_entry(document: object, names: frozenset[str]) -> ToldEntry:
    """Read one entry from its JSON.

    :param names: the fields that may be told here
    :raises InvalidInput: naming the field, its type, or the nearest known name
    """
    if not isinstance(document, dict):
        raise InvalidInput("An entry is a JSON object.")
    check_names(document, names)
    try:
        return msgspec.convert(document, ToldEntry)
    except msgspec.ValidationError as error:
        raise _explained(error) from None


def check_names(document: Mapping[str, object], names: frozenset[str]) -> None:
    """Refuse what is not a field, or cannot be told here.

    :raises InvalidInput: naming it and the nearest known name
    """
    for name in document.keys() - names:
        shown = name.encode(errors="replace").decode()[:_SHOWN]
        if name in _NAMES:
            raise InvalidInput(f"`{shown}` is set by Scriba; leave it out.", param=shown)
        raise InvalidInput(f"An entry has no field `{shown}`.", param=shown, hint=did_you_mean(shown, names))


def moment_of(text: str, param: str) -> int:
    """Read a time that somebody tells: RFC 3339 with any offset and at most six fraction digits.

    :raises InvalidInput: it is none
    """
    try:
        return parse_timestamp(text)
    except InvalidTimestamp:
        pass
    if _RFC3339.fullmatch(text):
        try:
            moment = datetime.fromisoformat(text.upper())
        except ValueError:
            moment = _EPOCH - _MICROSECOND
        if moment >= _EPOCH:
            return (moment - _EPOCH) // _MICROSECOND
    raise InvalidInput(
        f"`{param}` must be a time from 1970 on like 2025-01-10T14:30:00Z, with at most six fraction digits.",
        param=param,
    )


def requested_provider(told: ToldEntry) -> str:
    """Return the provider that was asked for: as told, else the one that served, else the one that reasons name."""
    if told.requested_provider or told.provider:
        return told.requested_provider or told.provider or ""
    for reason in told.violation_reasons or ():
        if match := _ASKED_FOR.match(reason):
            return match[1]
    return ""


def decision_of(
    told: ToldEntry,
    *,
    id: str,  # noqa: A002 - the name in the record
    org_id: str,
    request_id: str,
    source: Source,
    source_id: str,
    tags: tuple[str, ...],
    occurred_at: int | None = None,
    timestamp: int | None = None,
) -> Decision:
    """Make the record of an entry: what is not given here is as it was told."""
    return Decision(
        id=id,
        org_id=org_id,
        request_id=request_id,
        model=told.model,
        allowed=told.allowed,
        enforcement=told.enforcement,
        policy_id=told.policy_id,
        policy_name=told.policy_name,
        policy_slot=told.policy_slot,
        policy_version=told.policy_version,
        policy_sha256=told.policy_sha256 or "",
        source=source,
        provider=told.provider or "",
        requested_provider=requested_provider(told),
        violation_reasons=told.violation_reasons or (),
        violation_codes=told.violation_codes or (),
        operation=told.operation or "",
        canonical_model=told.canonical_model or "",
        upstream_model=told.upstream_model or "",
        attempt=told.attempt,
        occurred_at=occurred_at,
        timestamp=timestamp,
        hidden=Hidden(
            api_key_id=told.api_key_id or "",
            client_request_id=told.client_request_id or "",
            ip_address=told.ip_address or "",
            request_sha256=told.request_sha256 or "",
            source_id=source_id,
            tags=tags,
            user=told.user or "",
            user_agent=told.user_agent or "",
        ),
    )


_NAMES: Final = frozenset(field.encode_name for field in msgspec.structs.fields(ToldEntry))


def _explained(error: msgspec.ValidationError) -> InvalidInput:
    """Say it in the words of the API: msgspec names places by a path from `$`."""
    text = str(error)
    if missing := re.search(r"missing required field `(\w+)`", text):
        return InvalidInput(f"`{missing[1]}` is missing.", param=missing[1])
    place = _PLACE.search(text)
    param = place[1] if place else None
    said = text[: place.start()] if place else text
    said = said.replace("Expected", "expected").replace(" | null", "").replace("`array`", "a list")
    return InvalidInput(f"`{param}`: {said}." if param else f"{said}.", param=param)
