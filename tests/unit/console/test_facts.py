"""The page of one entry leaves nothing out."""

from __future__ import annotations

from typing import Any

import msgspec
from tests.unit.console.test_words import BAA, CHINA, an_entry

from scriba.audit.entry import Detail, EntryOutcome, Proof
from scriba.console.facts import Fact, sections_of

PROOF = Proof(
    status="appended",
    intact=True,
    origin="scriba.example.com/tlog/org_1/requests/1",
    seq=41_000,
    leaf_hash="q83vEjRWeJA=",
    timestamp="2025-01-10T14:30:00.123456Z",
    tree_size=41_204,
)


def a_detail(*, outcome: EntryOutcome | None = None, proof: Proof = PROOF, **fields: Any) -> Detail:
    """Make an entry with its proof."""
    return Detail(entry=an_entry(**fields, outcome=outcome), proof=proof)


def facts(detail: Detail) -> dict[str, Fact]:
    """Return all facts by their labels."""
    return {fact.label: fact for section in sections_of(detail) for fact in section.facts}


def test_every_field_of_a_full_entry_is_shown() -> None:
    """Each value of the entry stands somewhere on its page, in these words or in plainer ones."""
    texts: dict[str, Any] = {
        "api_key_id": "key_1",
        "ip_address": "203.0.113.42",
        "user_agent": "agent/1",
        "requested_provider": "anthropic",
        "policy_sha256": "p" * 64,
        "operation": "chat",
        "canonical_model": "gpt-4o-2024-08-06",
        "upstream_model": "my-deployment",
        "client_request_id": "mine-1",
        "request_sha256": "r" * 64,
        "source_id": "theirs-1",
        "occurred_at": "2025-01-10T14:29:59Z",
        "user": "j.doe@example.com",
    }
    numbers: dict[str, Any] = {"policy_version": 3, "attempt": 2, "policy_slot": 7}
    lists: dict[str, Any] = {
        "tags": ("team", "eu"),
        "violation_reasons": (CHINA, BAA),
        "violation_codes": ("china_based", "baa"),
    }
    detail = a_detail(**texts, **numbers, **lists)
    shown = facts(detail)
    values = {fact.value for fact in shown.values()}
    assert set(texts.values()) | {str(number) for number in numbers.values()} <= values
    assert "team, eu" in values
    assert shown["Reasons"].reasons == ((CHINA, "china_based"), (BAA, "baa"))
    # A field that is added to entries must be added to their page.
    assert set(msgspec.structs.asdict(detail.entry)) == {
        *texts, *numbers, *lists, "id", "request_id", "timestamp", "model", "provider", "policy_id", "policy_name",
        "allowed", "enforcement", "org_id", "log", "seq", "source", "outcome",
    }  # fmt: skip


def test_what_is_absent_has_no_line() -> None:
    """A page never shows an empty value."""
    assert all(fact.value or fact.reasons for fact in facts(a_detail()).values())
    assert [section.title for section in sections_of(a_detail())] == ["Decision", "Request", "Place in the log"]


def test_a_refused_request_says_that_no_provider_was_used() -> None:
    """An absent provider of a refused request is a fact, not a gap."""
    assert facts(a_detail(allowed=False, provider=None))["Provider used"].value == "none"


def test_reasons_without_codes_stand_alone() -> None:
    """What another gateway told has no codes of ours, and is shown all the same."""
    assert facts(a_detail(violation_reasons=("told",)))["Reasons"].reasons == (("told", ""),)


def test_the_place_in_the_log_is_said() -> None:
    """Number, size, time of logging, fingerprint and name of the log are there."""
    shown = facts(a_detail())
    assert shown["Record"].value == "41,000 in the log requests (41,204 records so far)"
    assert (shown["Fingerprint"].value, shown["Log"].value) == (PROOF.leaf_hash, PROOF.origin)
    assert shown["Logged at"].value == PROOF.timestamp
    assert shown["Intact"].value.startswith("Yes")


def test_a_changed_entry_says_so() -> None:
    """An entry that does not give its fingerprint is never called intact."""
    changed = msgspec.structs.replace(PROOF, intact=False)
    assert facts(a_detail(proof=changed))["Intact"].value.startswith("No")


def test_an_outcome_is_shown_with_its_tokens() -> None:
    """How the call ended follows once it is known; token counts only if the provider said them."""
    outcome = EntryOutcome(status=200, duration_ms=840, ended="complete", input_tokens=1_312)
    shown = facts(a_detail(outcome=outcome))
    assert (shown["Call"].value, shown["Tokens in"].value) == ("Answered after 840 ms, status 200", "1,312")
    assert "Tokens out" not in shown
