"""A name that leaves the provider open goes to one that can take the request as it is."""

from __future__ import annotations

import pytest

from scriba.domain.record import Operation
from scriba.policy.catalogue import load_catalogue
from scriba.policy.configured import ConfiguredProvider, ModelRoute
from scriba.policy.engine import DecisionPoint, RequestFacts
from scriba.policy.models import load_models
from scriba.policy.rules import NO_POLICY

MODELS = load_models()
ANTHROPIC = ConfiguredProvider(id="anthropic", dialects=("anthropic",))
VERTEX = ConfiguredProvider(id="vertex", dialects=("openai",))
OWN = ModelRoute(name="ours", upstream="claude-sonnet-4-6", canonical="claude-sonnet-4.6")


def _served(model: str, operation: Operation, *providers: ConfiguredProvider, pinned: str = "") -> str:
    catalogue = load_catalogue(MODELS.sha256).with_configured(providers)
    facts = RequestFacts(model=model, operation=operation, pinned_provider=pinned)
    verdict = DecisionPoint(catalogue, MODELS).decide(NO_POLICY, facts)
    assert verdict.requested_provider == verdict.provider
    return verdict.provider


@pytest.mark.parametrize(
    ("model", "operation", "provider"),
    [
        ("claude-sonnet-4-6", Operation.MESSAGES, "anthropic"),
        ("claude-sonnet-4-6", Operation.CHAT, "vertex"),
        ("claude-sonnet-4-6", Operation.RESPONSES, "vertex"),
        ("anthropic/claude-sonnet-4-6", Operation.CHAT, "anthropic"),
        ("anthropic:claude-sonnet-4-6", Operation.CHAT, "anthropic"),
        ("ours", Operation.CHAT, "anthropic"),
    ],
)
def test_whoever_speaks_the_dialect_serves(model: str, operation: Operation, provider: str) -> None:
    """Only where nobody was named: what names a provider, or was routed by the operator, stays with it."""
    anthropic = ConfiguredProvider(id="anthropic", dialects=("anthropic",), models=(OWN,))
    assert _served(model, operation, anthropic, VERTEX) == provider


def test_a_pinned_provider_stays() -> None:
    """Also where it cannot take the request, which is then told."""
    assert _served("claude-sonnet-4-6", Operation.CHAT, ANTHROPIC, VERTEX, pinned="anthropic") == "anthropic"


def test_without_anybody_else_it_stays() -> None:
    """Nobody here speaks it, so there is nobody to go to."""
    assert _served("claude-sonnet-4-6", Operation.CHAT, ANTHROPIC) == "anthropic"
