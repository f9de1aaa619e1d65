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
"""Reasons that no policy gave: one of them refuses by itself, whatever a policy that only warns says beside it."""


def refusal(exchange: Exchange, ruling: Ruling, configured: Configured) -> Problem:
    """Return the 403 for a ruling that does not allow the request."""
    decision = ruling.decision
    return Problem(
        status=HTTPStatus.FORBIDDEN,
        code=_own_code(decision) or _VIOLATION,
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


def _own_code(decision: Decision) -> str:
    """Return the reason that is the gateway's own; empty if the policy refused."""
    return next((code for code in decision.violation_codes if code in _OF_THE_GATEWAY), "")


def _why(decision: Decision, configured: Configured) -> str:
    own = _own_code(decision)
    if not own:
        reasons = "; ".join(decision.violation_reasons)
        return f"The policy '{decision.policy_name}' does not allow model '{decision.model}': {reasons}."
    reason = decision.violation_reasons[decision.violation_codes.index(own)]
    remedy = (
        configured.remedy(decision.requested_provider)
        if own == Code.PROVIDER_NOT_CONFIGURED
        else "Name its provider too, as in `openai/gpt-4o`."
    )
    return f"{reason} (decided under the policy '{decision.policy_name}'). {remedy}"
