"""The frozen table of reasons."""

from __future__ import annotations

import pytest

from scriba.policy.reasons import Code, code_of, long_reason, short_reasons

TABLE = [
    ("china_based", "Provider 'P' is China-based and blocked by policy", "China-based provider blocked"),
    ("trust_tier", "Provider 'P' does not meet minimum trust tier 'T'", "Minimum trust tier not met"),
    ("zdr", "Provider 'P' does not offer zero data retention as far as is known", "Zero data retention not confirmed"),
    ("baa", "Provider 'P' does not sign a BAA as far as is known", "BAA not confirmed"),
    ("hipaa", "Provider 'P' is not HIPAA eligible as far as is known", "HIPAA eligibility not confirmed"),
    ("soc2", "Provider 'P' has no SOC 2 Type II report as far as is known", "SOC 2 Type II not confirmed"),
    ("provider_not_allowed", "Provider 'P' is not on the policy's allowlist", "Provider not on allowlist"),
    ("provider_blocked", "Provider 'P' is on the policy's blocklist", "Provider on blocklist"),
    (
        "creator_blocked",
        "Model 'M' was made by 'C', which is on the policy's blocklist",
        "Model creator on blocklist",
    ),
    ("model_not_allowed", "Model 'M' is not on the policy's allowlist", "Model not on allowlist"),
    ("model_blocked", "Model 'M' is on the policy's blocklist", "Model on blocklist"),
    ("model_unknown", "Model 'M' could not be resolved to a provider", "Model not recognised"),
    ("provider_not_configured", "Provider 'P' is not configured here", "Provider not configured"),
    (
        "no_compliant_provider",
        "No configured provider of model 'M' complies with the policy",
        "No compliant provider",
    ),
]


@pytest.mark.parametrize(("code", "long", "short"), TABLE)
def test_the_texts_are_those_of_the_table(code: str, long: str, short: str) -> None:
    """Records keep these texts for ever, so a change of one is a decision and not a fix."""
    assert long_reason(Code(code), provider="P", model="M", creator="C", tier="T") == long
    assert code_of(long) == code
    assert short_reasons([long]) == (short,)


def test_the_order_is_that_of_the_table() -> None:
    """Reasons are listed in a fixed order."""
    assert list(Code) == [code for code, _, _ in TABLE]


def test_the_trust_tier_is_left_out_beside_china_based() -> None:
    """It follows from it; so the two long reasons of the contract's sample have its one short reason."""
    long = [text for _, text, _ in TABLE[:3]]
    assert short_reasons(long) == ("China-based provider blocked", "Zero data retention not confirmed")
    assert short_reasons(long[1:]) == ("Minimum trust tier not met", "Zero data retention not confirmed")


@pytest.mark.parametrize("told", ["PII found", "", "provider 'x' is china-based and blocked by policy", "Zero\nlines"])
def test_a_reason_that_is_none_of_ours_stays_as_told(told: str) -> None:
    """Other gateways have their own words."""
    assert code_of(told) is None
    assert short_reasons([TABLE[0][1], told]) == ("China-based provider blocked", told)


@pytest.mark.parametrize(
    "name", ["", "a'b", "{provider}", "line\nbreak", "x" * 256, "Provider 'x' is not configured here"]
)
@pytest.mark.parametrize("code", list(Code))
def test_any_name_can_stand_in_a_reason(code: Code, name: str) -> None:
    """Names come from outside; the text is found again whatever is in them."""
    assert code_of(long_reason(code, provider=name, model=name, creator=name, tier="trusted")) is code
