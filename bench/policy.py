"""What a decision costs: choosing among 12 policies, resolving the model string, judging, in microseconds.

Run as `python bench/policy.py`. Prints the median of several rounds, with resolutions remembered and without.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Final

from scriba.domain.record import Enforcement
from scriba.policy.catalogue import TrustTier, load_catalogue
from scriba.policy.configured import ConfiguredProvider
from scriba.policy.engine import DecisionPoint, RequestFacts
from scriba.policy.models import load_models
from scriba.policy.rules import Policy, Rules, choose_policy

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS: Final = 7
CALLS: Final = 5_000
CONFIGURED: Final = ("openai", "anthropic", "deepseek", "groq", "bedrock", "together", "openrouter", "sandbox")
REQUESTS: Final = {
    "allowed": ("gpt-4o", Enforcement.HARD_BLOCK),
    "refused, two reasons": ("deepseek-chat", Enforcement.HARD_BLOCK),
    "rerouted": ("groq/openai/gpt-oss-120b", Enforcement.SOFT_BLOCK),
    "unknown model": ("no-such-model", Enforcement.HARD_BLOCK),
}


def main() -> None:
    """Print the table."""
    models = load_models()
    configured = tuple(ConfiguredProvider(id=name) for name in CONFIGURED)
    point = DecisionPoint(load_catalogue(models.sha256).with_configured(configured), models)
    print(f"{'request':24}{'remembered':>12}{'first time':>12}   microseconds per decision, 12 policies")
    for name, (model, enforcement) in REQUESTS.items():
        policies = [_policy(slot, enforcement) for slot in range(1, 13)]
        request = RequestFacts(model=model)

        def remembered() -> None:
            point.decide(choose_policy(policies, None, 12), request)  # noqa: B023 -- called within this turn

        def first_time() -> None:
            point.resolver._resolve_once.cache_clear()  # noqa: SLF001 -- what is measured is the way around it
            remembered()

        print(f"{name:24}{_microseconds(remembered):>12.1f}{_microseconds(first_time):>12.1f}")


def _policy(slot: int, enforcement: Enforcement) -> Policy:
    rules = Rules(
        enforcement=enforcement,
        minimum_trust_tier=TrustTier.MOST_TRUSTED,
        block_china_providers=True,
        require_zdr=True,
        provider_blocklist=("minimax", "xai"),
        model_blocklist=("*-preview", "gpt-3.5-*"),
    )
    return Policy(id=f"gpol_{slot}", org_id="org_bench", name=f"Slot {slot}", tag_slot=slot, rules=rules)


def _microseconds(call: Callable[[], None]) -> float:
    return statistics.median(_round(call) for _ in range(ROUNDS))


def _round(call: Callable[[], None]) -> float:
    start = time.perf_counter_ns()
    for _ in range(CALLS):
        call()
    return (time.perf_counter_ns() - start) / CALLS / 1000


if __name__ == "__main__":
    main()
