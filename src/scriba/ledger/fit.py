"""The two things about a decision that may be cut, so that it can always be logged.

Everything else that breaks a limit is refused before the request is forwarded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from scriba.ledger.fields import MAX_REASONS
from scriba.ledger.hidden import MAX_VALUE

if TYPE_CHECKING:
    from scriba.domain.record import Decision

__all__ = ["cut_text", "fit"]


def fit(decision: Decision) -> Decision:
    """Cut a long user agent at a character, and let "and N more" stand for surplus reasons.

    Codes are left out with surplus reasons: Scriba's own rules give fewer of them than the limit, so that only
    reasons told by others, which have no codes, can be too many.
    """
    agent = cut_text(decision.hidden.user_agent, MAX_VALUE)
    if agent != decision.hidden.user_agent:
        decision = replace(decision, hidden=replace(decision.hidden, user_agent=agent))
    surplus = len(decision.violation_reasons) - MAX_REASONS
    if surplus > 0:
        kept = decision.violation_reasons[: MAX_REASONS - 1]
        decision = replace(decision, violation_reasons=(*kept, f"and {surplus + 1} more"), violation_codes=())
    return decision


def cut_text(text: str, limit: int) -> str:
    """Keep as many whole characters as fit into `limit` bytes of UTF-8."""
    if len(text) * 4 <= limit:
        return text
    return text.encode(errors="surrogatepass")[:limit].decode(errors="ignore")
