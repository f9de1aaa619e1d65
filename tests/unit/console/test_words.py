"""An entry is said as a person would say it."""

from __future__ import annotations

from typing import Any

import pytest

from scriba.audit.entry import Entry, EntryOutcome
from scriba.audit.verdict import Verdict, verdict_of
from scriba.console.words import Line, duration, line_of, outcome_words
from scriba.domain.timestamp import moment

CHINA = "Provider 'deepseek' is China-based and blocked by policy"
TIER = "Provider 'deepseek' does not meet minimum trust tier 'most_trusted'"
BAA = "Provider 'anthropic' does not sign a BAA as far as is known"


def an_entry(**fields: Any) -> Entry:
    """Make an entry like the seed's first, with the given fields changed."""
    plain: dict[str, Any] = {
        "id": "audit_abc123",
        "request_id": "req_xyz789",
        "timestamp": "2025-01-10T14:30:00Z",
        "model": "gpt-4o",
        "provider": "openai",
        "policy_id": "gpol_xxx",
        "policy_name": "Production - HIPAA",
        "policy_slot": 1,
        "allowed": True,
        "enforcement": "hard_block",
        "org_id": "org_1",
        "log": "requests",
        "seq": 1,
        "source": "gateway",
    }
    return Entry(**plain | fields)


def under(line: Line) -> str:
    """Return the second line as text."""
    return "".join(word.text for word in line.under)


BLOCKED = {"allowed": False, "provider": None, "model": "deepseek-chat"}
REROUTED = {"enforcement": "soft_block", "requested_provider": "anthropic", "model": "claude-3-5-sonnet"}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "Allowed gpt-4o to openai"),
        ({"provider": None}, "Allowed gpt-4o"),
        (BLOCKED, "Blocked deepseek-chat"),
        (BLOCKED | {"violation_reasons": (CHINA, TIER)}, "Blocked deepseek-chat: China-based provider blocked"),
        (
            BLOCKED | {"violation_reasons": (TIER, BAA)},
            "Blocked deepseek-chat: Minimum trust tier not met; BAA not confirmed",
        ),
        (BLOCKED | {"violation_reasons": ("told elsewhere",)}, "Blocked deepseek-chat: told elsewhere"),
        (
            {"enforcement": "warn", "violation_reasons": (CHINA,)},
            "Allowed with a warning: gpt-4o to openai (China-based provider blocked)",
        ),
        (
            REROUTED | {"provider": "amazon-bedrock", "violation_reasons": (BAA,)},
            "Rerouted claude-3-5-sonnet to amazon-bedrock instead of anthropic: BAA not confirmed",
        ),
        (
            REROUTED | {"provider": "anthropic", "violation_reasons": (BAA,)},
            "Rerouted claude-3-5-sonnet to anthropic: BAA not confirmed",
        ),
        ({"violation_reasons": (BAA,)}, "Allowed against the policy: gpt-4o to openai (BAA not confirmed)"),
    ],
)
def test_every_verdict_has_its_sentence(fields: dict[str, Any], sentence: str) -> None:
    """What happened, to which model, by whom and why stand in one plain sentence."""
    assert line_of(an_entry(**fields)).title == sentence


def test_what_came_from_outside_is_set_apart() -> None:
    """Models, providers and reasons are words of their own, so that a page can isolate each."""
    line = line_of(an_entry(**BLOCKED, violation_reasons=("told elsewhere",)))
    assert [(word.text, word.kind) for word in line.sentence if word.kind in {"model", "data"}] == [
        ("deepseek-chat", "model"),
        ("told elsewhere", "data"),
    ]
    assert line.under[0].kind == "data"


@pytest.mark.parametrize(
    ("fields", "verdict", "tone"),
    [
        ({}, Verdict.ALLOWED, "allowed"),
        ({"allowed": False}, Verdict.BLOCKED, "blocked"),
        ({"allowed": False, "enforcement": "warn", "violation_reasons": (BAA,)}, Verdict.BLOCKED, "blocked"),
        ({"enforcement": "warn"}, Verdict.ALLOWED, "allowed"),
        ({"enforcement": "warn", "violation_reasons": (BAA,)}, Verdict.WARNED, "warned"),
        ({"enforcement": "soft_block", "violation_reasons": (BAA,)}, Verdict.REROUTED, "warned"),
        ({"enforcement": "hard_block", "violation_reasons": (BAA,)}, Verdict.DEFIED, "blocked"),
    ],
)
def test_a_verdict_follows_from_the_entry(fields: dict[str, Any], verdict: Verdict, tone: str) -> None:
    """What was let through in spite of reasons never looks like what simply passed."""
    entry = an_entry(**fields)
    assert verdict_of(entry) is verdict
    assert line_of(entry).tone == tone


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "Production - HIPAA (slot 1)"),
        ({"policy_slot": None}, "Production - HIPAA"),
        ({"user": "j.doe@example.com"}, "Production - HIPAA (slot 1) · j.doe@example.com"),
        ({"source": "ingest"}, "Production - HIPAA (slot 1) · told by another gateway"),
        ({"source": "evaluate"}, "Production - HIPAA (slot 1) · evaluated, not called"),
        ({"source": "import", "user": "li"}, "Production - HIPAA (slot 1) · li · imported"),
    ],
)
def test_the_second_line_says_under_which_policy_and_for_whom(fields: dict[str, Any], text: str) -> None:
    """Policy, user and a source other than this gateway are named."""
    assert under(line_of(an_entry(**fields))) == text


@pytest.mark.parametrize(
    ("timestamp", "day", "clock"),
    [
        ("2025-01-10T14:30:00Z", "10 Jan 2025", "14:30:00"),
        ("2026-11-04T00:00:59.123456Z", "4 Nov 2026", "00:00:59"),
    ],
)
def test_a_time_is_readable_and_its_exact_text_is_kept(timestamp: str, day: str, clock: str) -> None:
    """Day and time of day come from the text itself, so no time zone can shift them."""
    assert moment(timestamp) == (day, clock)
    assert line_of(an_entry(timestamp=timestamp)).exact == timestamp


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1_000, "1.0 s"),
        (1_249, "1.2 s"),
        (59_949, "59.9 s"),
        (59_950, "1 min 0 s"),
        (123_400, "2 min 3 s"),
    ],
)
def test_a_duration_is_said_in_its_own_unit(milliseconds: int, text: str) -> None:
    """Nobody reads 123400 ms, and rounding never makes 60.0 s."""
    assert duration(milliseconds) == text


@pytest.mark.parametrize(
    ("ended", "text"),
    [
        ("complete", "Answered after 1.2 s, status 200"),
        ("client", "The caller hung up after 1.2 s, status 200"),
        ("upstream", "The provider broke off after 1.2 s, status 200"),
    ],
)
def test_an_outcome_says_who_ended_the_call(ended: str, text: str) -> None:
    """A call that broke off never reads like one that was answered."""
    assert outcome_words(EntryOutcome(status=200, duration_ms=1_234, ended=ended)) == text
