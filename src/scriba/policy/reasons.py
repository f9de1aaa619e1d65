"""The reasons for a verdict. Codes, order and texts are frozen: they stand in records that are never rewritten.

Each has a code, a long text for the entry itself and a short one for tables, reports and webhooks.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Code", "code_of", "long_forms", "long_reason", "short_reasons"]


class Code(StrEnum):
    """Why a request was refused, rerouted or warned about, in the order in which reasons are listed.

    The last three are verdicts of the gateway and refuse whatever the enforcement.
    """

    CHINA_BASED = "china_based"
    TRUST_TIER = "trust_tier"
    ZDR = "zdr"
    BAA = "baa"
    HIPAA = "hipaa"
    SOC2 = "soc2"
    PROVIDER_NOT_ALLOWED = "provider_not_allowed"
    PROVIDER_BLOCKED = "provider_blocked"
    CREATOR_BLOCKED = "creator_blocked"
    MODEL_NOT_ALLOWED = "model_not_allowed"
    MODEL_BLOCKED = "model_blocked"
    MODEL_UNKNOWN = "model_unknown"
    PROVIDER_NOT_CONFIGURED = "provider_not_configured"
    NO_COMPLIANT_PROVIDER = "no_compliant_provider"


_LONG: Final = {
    Code.CHINA_BASED: "Provider '{provider}' is China-based and blocked by policy",
    Code.TRUST_TIER: "Provider '{provider}' does not meet minimum trust tier '{tier}'",
    Code.ZDR: "Provider '{provider}' does not offer zero data retention as far as is known",
    Code.BAA: "Provider '{provider}' does not sign a BAA as far as is known",
    Code.HIPAA: "Provider '{provider}' is not HIPAA eligible as far as is known",
    Code.SOC2: "Provider '{provider}' has no SOC 2 Type II report as far as is known",
    Code.PROVIDER_NOT_ALLOWED: "Provider '{provider}' is not on the policy's allowlist",
    Code.PROVIDER_BLOCKED: "Provider '{provider}' is on the policy's blocklist",
    Code.CREATOR_BLOCKED: "Model '{model}' was made by '{creator}', which is on the policy's blocklist",
    Code.MODEL_NOT_ALLOWED: "Model '{model}' is not on the policy's allowlist",
    Code.MODEL_BLOCKED: "Model '{model}' is on the policy's blocklist",
    Code.MODEL_UNKNOWN: "Model '{model}' could not be resolved to a provider",
    Code.PROVIDER_NOT_CONFIGURED: "Provider '{provider}' is not configured here",
    Code.NO_COMPLIANT_PROVIDER: "No configured provider of model '{model}' complies with the policy",
}
_SHORT: Final = {
    Code.CHINA_BASED: "China-based provider blocked",
    Code.TRUST_TIER: "Minimum trust tier not met",
    Code.ZDR: "Zero data retention not confirmed",
    Code.BAA: "BAA not confirmed",
    Code.HIPAA: "HIPAA eligibility not confirmed",
    Code.SOC2: "SOC 2 Type II not confirmed",
    Code.PROVIDER_NOT_ALLOWED: "Provider not on allowlist",
    Code.PROVIDER_BLOCKED: "Provider on blocklist",
    Code.CREATOR_BLOCKED: "Model creator on blocklist",
    Code.MODEL_NOT_ALLOWED: "Model not on allowlist",
    Code.MODEL_BLOCKED: "Model on blocklist",
    Code.MODEL_UNKNOWN: "Model not recognised",
    Code.PROVIDER_NOT_CONFIGURED: "Provider not configured",
    Code.NO_COMPLIANT_PROVIDER: "No compliant provider",
}
_PARTS: Final = {code: tuple(re.escape(part) for part in re.split(r"\{[a-z]+\}", text)) for code, text in _LONG.items()}
_TOLD: Final = re.compile(
    "|".join(f"(?P<{code}>{'.*'.join(parts)})" for code, parts in _PARTS.items()),
    re.DOTALL,
)


def long_reason(code: Code, *, provider: str = "", model: str = "", creator: str = "", tier: str = "") -> str:
    """Return the text that stands in the entry."""
    return _LONG[code].format(provider=provider, model=model, creator=creator, tier=tier)


def code_of(reason: str) -> Code | None:
    """Return the code of a long text, or None for a reason that is none of ours."""
    match = _TOLD.fullmatch(reason)
    return Code(match.lastgroup) if match and match.lastgroup else None


def long_forms(part: str) -> tuple[str, ...]:
    """Return the long texts whose short text has this part in it, with `*` where a text names something.

    A text that fits a form has its code, and none has two: they all end differently.
    """
    return tuple(re.sub(r"\{[a-z]+\}", "*", _LONG[code]) for code in Code if part in _SHORT[code])


def short_reasons(reasons: Iterable[str]) -> tuple[str, ...]:
    """Return the short texts of an entry's `violationReasons`.

    The trust tier is left out beside China-based, from which it follows. A reason that is none of ours, since another
    gateway told it, stays as it was told.
    """
    told = [(code_of(reason), reason) for reason in reasons]
    codes = {code for code, _ in told}
    skipped = Code.TRUST_TIER if Code.CHINA_BASED in codes else None
    return tuple(_SHORT[code] if code else reason for code, reason in told if not code or code != skipped)
