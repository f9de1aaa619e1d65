"""The list of models holds what a request would reach, under names that lead there."""

from __future__ import annotations

import msgspec

from scriba.domain.record import Enforcement
from scriba.gateway.listing import find_model, list_models
from scriba.policy.catalogue import load_catalogue
from scriba.policy.configured import ConfiguredProvider, ModelRoute
from scriba.policy.engine import DecisionPoint, RequestFacts
from scriba.policy.models import load_models
from scriba.policy.rules import NO_POLICY, Rules

MODELS = load_models()


def _point(*providers: ConfiguredProvider) -> DecisionPoint:
    return DecisionPoint(load_catalogue(MODELS.sha256).with_configured(providers), MODELS)


def test_every_listed_name_reaches_its_provider() -> None:
    """A newcomer may take any name from the list and it works; the same model is there once for each provider."""
    own = ModelRoute(name="ours", upstream="gpt-4o", canonical="gpt-4o")
    openai = ConfiguredProvider(id="openai")
    azure = ConfiguredProvider(id="azure", models=(own,))
    anthropic = ConfiguredProvider(id="anthropic", dialects=("anthropic",))
    point = _point(openai, azure, anthropic)
    listed = list_models(point, NO_POLICY)
    for model in listed:
        for operation in model.operations:
            verdict = point.decide(NO_POLICY, RequestFacts(model=model.id, operation=operation))
            assert (verdict.allowed, verdict.provider) == (True, model.provider)
    assert len({model.id for model in listed}) == len(listed)
    providers = {model.id: model.provider for model in listed}
    assert (providers["gpt-4o"], providers["ours"], providers["claude-opus-4-6"]) == ("openai", "azure", "anthropic")


def test_a_policy_takes_models_off_the_list() -> None:
    """Who may not ask for a model does not find it, by whatever name."""
    point = _point(ConfiguredProvider(id="openai"), ConfiguredProvider(id="deepseek"))
    rules = Rules(enforcement=Enforcement.HARD_BLOCK, block_china_providers=True)
    strict = msgspec.structs.replace(NO_POLICY, rules=rules)
    assert any(model.provider == "deepseek" for model in list_models(point, NO_POLICY))
    assert {model.provider for model in list_models(point, strict)} == {"openai"}
    assert find_model(point, NO_POLICY, "deepseek/deepseek-chat") is not None
    assert find_model(point, strict, "deepseek/deepseek-chat") is None
    assert find_model(point, strict, "nonsense") is None


def test_embeddings_are_told_apart() -> None:
    """A provider without OpenAI's dialect has none that could be asked for."""
    listed = {model.id: model for model in list_models(_point(ConfiguredProvider(id="openai")), NO_POLICY)}
    assert listed["text-embedding-3-small"].kind == "embedding"
    assert listed["text-embedding-3-small"].operations == ("embeddings",)
    assert listed["gpt-4o"].operations == ("chat", "responses")
