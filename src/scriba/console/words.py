"""An entry of the log as a person would say it.

Pure: from an entry to words. A sentence is a run of `Word`s and not one text, so that the page can set apart what
came from outside (models, providers, names) and what Scriba says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from scriba.audit.verdict import Verdict, verdict_of
from scriba.domain.timestamp import moment
from scriba.policy.reasons import short_reasons

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scriba.audit.entry import Entry, EntryOutcome

__all__ = ["ENFORCEMENTS", "Line", "Word", "duration", "line_of", "outcome_words"]


ENFORCEMENTS: Final = {
    "hard_block": "Refuse what breaks the policy",
    "soft_block": "Use another provider, else refuse",
    "warn": "Let through and note it",
}
"""What an enforcement does, in words."""

_LEAD: Final = {
    Verdict.ALLOWED: "Allowed",
    Verdict.WARNED: "Allowed with a warning",
    Verdict.REROUTED: "Rerouted",
    Verdict.DEFIED: "Allowed against the policy",
    Verdict.BLOCKED: "Blocked",
}
_TONE: Final = {
    Verdict.ALLOWED: "allowed",
    Verdict.WARNED: "warned",
    Verdict.REROUTED: "warned",
    Verdict.DEFIED: "blocked",
    Verdict.BLOCKED: "blocked",
}
_ICON: Final = {**_TONE, Verdict.REROUTED: "rerouted", Verdict.DEFIED: "warned"}
_SOURCE: Final = {"ingest": "told by another gateway", "evaluate": "evaluated, not called", "import": "imported"}
_ENDED: Final = {
    "complete": "Answered",
    "client": "The caller hung up",
    "upstream": "The provider broke off",
}


class Word(msgspec.Struct, frozen=True):
    """A piece of a sentence: `plain` and `verdict` are ours, `model` and `data` came from outside."""

    text: str
    kind: Literal["plain", "verdict", "model", "data"] = "plain"


class Line(msgspec.Struct, frozen=True):
    """An entry as one line: what happened, under which policy, when (UTC; `exact` as logged)."""

    id: str
    verdict: Verdict
    tone: str
    icon: str
    sentence: tuple[Word, ...]
    under: tuple[Word, ...]
    day: str
    clock: str
    exact: str

    @property
    def title(self) -> str:
        """The sentence as plain text."""
        return "".join(word.text for word in self.sentence)


def line_of(entry: Entry) -> Line:
    """Say an entry in one line."""
    verdict = verdict_of(entry)
    day, clock = moment(entry.timestamp)
    return Line(
        id=entry.id,
        verdict=verdict,
        tone=_TONE[verdict],
        icon=_ICON[verdict],
        sentence=tuple(_sentence(entry, verdict)),
        under=tuple(_under(entry)),
        day=day,
        clock=clock,
        exact=entry.timestamp,
    )


def duration(milliseconds: int) -> str:
    """Say how long something took: `840 ms`, `1.2 s`, `2 min 3 s`."""
    if milliseconds < 1_000:
        return f"{milliseconds} ms"
    if milliseconds < 59_950:
        return f"{milliseconds / 1_000:.1f} s"
    minutes, seconds = divmod(round(milliseconds / 1_000), 60)
    return f"{minutes} min {seconds} s"


def outcome_words(outcome: EntryOutcome) -> str:
    """Say how the upstream call ended."""
    return f"{_ENDED.get(outcome.ended, outcome.ended)} after {duration(outcome.duration_ms)}, status {outcome.status}"


def _sentence(entry: Entry, verdict: Verdict) -> Iterator[Word]:
    yield Word(_LEAD[verdict], "verdict")
    yield Word(": " if verdict in {Verdict.WARNED, Verdict.DEFIED} else " ")
    yield Word(entry.model, "model")
    if entry.allowed:
        yield from _destination(entry, verdict)
    if entry.violation_reasons:
        before, after = (": ", "") if verdict in {Verdict.BLOCKED, Verdict.REROUTED} else (" (", ")")
        yield Word(before)
        yield from _joined(short_reasons(entry.violation_reasons), "; ")
        yield Word(after)


def _destination(entry: Entry, verdict: Verdict) -> Iterator[Word]:
    if entry.provider:
        yield Word(" to ")
        yield Word(entry.provider, "data")
    if verdict is Verdict.REROUTED and entry.requested_provider and entry.requested_provider != entry.provider:
        yield Word(" instead of ")
        yield Word(entry.requested_provider, "data")


def _under(entry: Entry) -> Iterator[Word]:
    yield Word(entry.policy_name, "data")
    if entry.policy_slot is not None:
        yield Word(f" (slot {entry.policy_slot})")
    if entry.user:
        yield Word(" · ")
        yield Word(entry.user, "data")
    if entry.source in _SOURCE:
        yield Word(f" · {_SOURCE[entry.source]}")


def _joined(texts: Iterable[str], separator: str) -> Iterator[Word]:
    for number, text in enumerate(texts):
        if number:
            yield Word(separator)
        yield Word(text, "data")
