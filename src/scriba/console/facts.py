"""All that is known about one entry, in the order in which a reader asks: what, why, for whom, how it ended, where."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Final

import msgspec

from scriba.console.words import ENFORCEMENTS, outcome_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scriba.audit.entry import Detail, Entry, EntryOutcome, Proof

__all__ = ["Fact", "Section", "sections_of"]

_SOURCES: Final = {
    "gateway": "This gateway decided and logged it before anything was sent",
    "ingest": "Another gateway told it",
    "evaluate": "An evaluation; no call was made",
    "import": "Imported, with the id and the time that its source gave it",
}
_INTACT: Final = {
    True: "Yes, what is stored gives this fingerprint",
    False: "No, what is stored does not give this fingerprint: it was changed after it was logged",
}


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A name and its value. `code` means an exact value to copy; `reasons` are (text, code) pairs instead of one."""

    label: str
    value: str = ""
    code: bool = False
    reasons: tuple[tuple[str, str], ...] = ()


class Section(msgspec.Struct, frozen=True):
    """Facts that belong together."""

    title: str
    facts: tuple[Fact, ...]


def sections_of(detail: Detail) -> tuple[Section, ...]:
    """Return everything that is known about an entry. What is absent has no line."""
    entry = detail.entry
    sections = (
        Section("Decision", tuple(_decision(entry))),
        Section("Request", tuple(_request(entry))),
        Section("Caller", tuple(_caller(entry))),
        Section("Outcome", tuple(_outcome(detail.outcome))),
        Section("Place in the log", tuple(_place(detail.proof, entry))),
    )
    return tuple(section for section in sections if section.facts)


def _given(*pairs: tuple[str, object], code: bool = False) -> Iterator[Fact]:
    """Make facts of what is there."""
    for label, value in pairs:
        if value not in (None, ""):
            yield Fact(label=label, value=str(value), code=code)


def _decision(entry: Entry) -> Iterator[Fact]:
    yield Fact(label="Policy", value=entry.policy_name)
    yield from _given(("Policy id", entry.policy_id), code=True)
    yield from _given(("Slot", entry.policy_slot), ("Version", entry.policy_version))
    yield from _given(("Policy SHA-256", entry.policy_sha256), code=True)
    yield Fact(label="Enforcement", value=ENFORCEMENTS.get(entry.enforcement, entry.enforcement))
    if entry.violation_reasons:
        reasons = tuple(zip_longest(entry.violation_reasons, entry.violation_codes, fillvalue=""))
        yield Fact(label="Reasons", reasons=reasons)
    yield from _given(("Source", _SOURCES.get(entry.source, entry.source)), ("Happened at", entry.occurred_at))


def _request(entry: Entry) -> Iterator[Fact]:
    yield from _given(
        ("Model asked for", entry.model),
        ("Known as", entry.canonical_model),
        ("Sent as", entry.upstream_model),
        ("Provider asked for", entry.requested_provider),
        ("Provider used", entry.provider if entry.allowed else "none"),
        ("Operation", entry.operation),
        ("Attempt", entry.attempt),
    )
    yield from _given(
        ("Request id", entry.request_id),
        ("Caller's own id", entry.client_request_id),
        ("Id at its source", entry.source_id),
        ("SHA-256 of the body", entry.request_sha256),
        code=True,
    )


def _caller(entry: Entry) -> Iterator[Fact]:
    yield from _given(("User", entry.user), ("Tags", ", ".join(entry.tags)))
    yield from _given(("API key", entry.api_key_id), ("IP address", entry.ip_address), code=True)
    yield from _given(("User agent", entry.user_agent))


def _outcome(outcome: EntryOutcome | None) -> Iterator[Fact]:
    if outcome is None:
        return
    yield Fact(label="Call", value=outcome_words(outcome))
    yield from _given(("Tokens in", _count(outcome.input_tokens)), ("Tokens out", _count(outcome.output_tokens)))


def _place(proof: Proof, entry: Entry) -> Iterator[Fact]:
    yield Fact(label="Entry id", value=entry.id, code=True)
    place = f"{_count(proof.seq)} in the log {entry.log} ({_count(proof.tree_size)} records so far)"
    yield Fact(label="Record", value=place)
    yield Fact(label="Logged at", value=proof.timestamp, code=True)
    yield Fact(label="Fingerprint", value=proof.leaf_hash, code=True)
    yield Fact(label="Log", value=proof.origin, code=True)
    yield Fact(label="Intact", value=_INTACT[proof.intact])


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"
