"""What a caller is told whose request was refused: by whom, why, and where it stands in the log."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from scriba.gateway.answer import Problem
from scriba.policy.reasons import Code

if TYPE_CHECKING:
    from scriba.domain.record import Decision
    from scriba.gateway.configured import Configured
    from scriba.gateway.enforcement import Ruling
    from scriba.gateway.exchange import Exchange

__all__ = ["refusal"]

_VIOLATION: Final = "policy_violation"
_OF_THE_GATEWAY: Final = frozenset({Code.MODEL_UNKNOWN, Code.PROVIDER_NOT_CONFIGURED})
"""Reasons that no policy gave: alone, they are the code of the answer."""


def refusal(exchange: Exchange, ruling: Ruling, configured: Configured) -> Problem:
    """Return the 403 for a ruling that does not allow the request."""
    decision = ruling.decision
    codes = decision.violation_codes
    return Problem(
        status=HTTPStatus.FORBIDDEN,
        code=codes[0] if set(codes) <= _OF_THE_GATEWAY else _VIOLATION,
        kind=_VIOLATION,
        message=f"{_why(decision, configured)} Log entry {decision.id}: {exchange.audit_url}",
        param="model",
        request_id=exchange.request_id,
        audit_id=decision.id,
        audit_url=exchange.audit_url,
        policy_id=decision.policy_id,
        policy_name=decision.policy_name,
        violations=decision.violation_reasons,
    )


def _why(decision: Decision, configured: Configured) -> str:
    reasons = "; ".join(decision.violation_reasons)
    codes = decision.violation_codes
    if set(codes) <= _OF_THE_GATEWAY:
        text = f"{reasons}."
    else:
        text = f"The policy '{decision.policy_name}' does not allow model '{decision.model}': {reasons}."
    if Code.PROVIDER_NOT_CONFIGURED in codes:
        return f"{text} {configured.remedy(decision.requested_provider)}"
    if Code.MODEL_UNKNOWN in codes:
        return f"{text} Name its provider too, as in `openai/gpt-4o`."
    return text
