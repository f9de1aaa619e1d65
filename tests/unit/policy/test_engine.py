"""The decision: every rule, every enforcement, and the samples of the contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from scriba.domain.record import Enforcement, Operation
from scriba.policy.catalogue import Catalogue, TrustTier
from scriba.policy.configured import ConfiguredProvider, ModelRoute
from scriba.policy.engine import DecisionPoint, RequestFacts, Verdict, rules_asked
from scriba.policy.reasons import Code
from scriba.policy.rules import NO_POLICY, Policy, Rules

if TYPE_CHECKING:
    from scriba.policy.models import Models

MakePoint = Callable[..., DecisionPoint]


def policy(enforcement: Enforcement = Enforcement.HARD_BLOCK, **rules: Any) -> Policy:
    """Return a policy with these rules."""
    return Policy(id="gpol_x", org_id="org_1", name="Production - HIPAA", rules=Rules(enforcement=enforcement, **rules))


def decide(point: DecisionPoint, model: str, operation: Operation = Operation.CHAT, **rules: Any) -> Verdict:
    """Return the verdict on a request under these rules."""
    return point.decide(policy(**rules), RequestFacts(model=model, operation=operation))


def test_the_blocked_sample_of_the_contract(make_point: MakePoint) -> None:
    """Even without a key for it, the reasons are the policy's, long and short, word for word."""
    verdict = decide(
        make_point("anthropic"),
        "deepseek-chat",
        block_china_providers=True,
        minimum_trust_tier=TrustTier.MOST_TRUSTED,
    )
    assert not verdict.allowed
    assert verdict.reasons == (
        "Provider 'deepseek' is China-based and blocked by policy",
        "Provider 'deepseek' does not meet minimum trust tier 'most_trusted'",
    )
    assert verdict.short == ("China-based provider blocked",)
    assert (verdict.provider, verdict.upstream_model, verdict.requested_provider) == ("", "", "deepseek")


def test_the_allowed_sample_of_the_contract(make_point: MakePoint) -> None:
    """A HIPAA policy lets Anthropic serve."""
    verdict = decide(
        make_point("anthropic"),
        "claude-sonnet-4-20250514",
        block_china_providers=True,
        minimum_trust_tier=TrustTier.MOST_TRUSTED,
        require_zdr=True,
        require_baa=True,
        require_hipaa=True,
        require_soc2=True,
    )
    assert verdict == Verdict(
        allowed=True,
        enforcement=Enforcement.HARD_BLOCK,
        provider="anthropic",
        requested_provider="anthropic",
        canonical_model="claude-sonnet-4-20250514",
        upstream_model="claude-sonnet-4-20250514",
    )


@pytest.mark.parametrize(
    ("model", "rules", "code"),
    [
        ("deepseek-chat", {"block_china_providers": True}, "china_based"),
        ("novita/x", {"block_china_providers": True}, "china_based"),
        ("groq/x", {"minimum_trust_tier": TrustTier.MOST_TRUSTED}, "trust_tier"),
        ("deepseek-chat", {"require_zdr": True}, "zdr"),
        ("deepseek-chat", {"require_baa": True}, "baa"),
        ("deepseek-chat", {"require_hipaa": True}, "hipaa"),
        ("deepseek-chat", {"require_soc2": True}, "soc2"),
        ("gpt-4o", {"provider_allowlist": ("anthropic",)}, "provider_not_allowed"),
        ("gpt-4o", {"provider_blocklist": ("openai",)}, "provider_blocked"),
        ("groq/openai/gpt-oss-120b", {"provider_blocklist": ("openai",)}, "creator_blocked"),
        ("gpt-4o", {"model_allowlist": ("claude-*",)}, "model_not_allowed"),
        ("gpt-4o", {"model_blocklist": ("GPT-*",)}, "model_blocked"),
    ],
)
def test_each_rule_has_its_reason(make_point: MakePoint, model: str, rules: dict[str, Any], code: str) -> None:
    """One rule that is broken refuses, and is the only reason; without it the same request is allowed."""
    point = make_point("openai", "deepseek", "groq", "novita")
    verdict = decide(point, model, **rules)
    assert (verdict.allowed, verdict.codes) == (False, (code,))
    assert decide(point, model).allowed


def test_every_broken_rule_is_told_in_the_order_of_the_table(make_point: MakePoint) -> None:
    """Who has to fix a policy or a request sees all of it at once."""
    verdict = decide(
        make_point("deepseek"),
        "deepseek-chat",
        block_china_providers=True,
        minimum_trust_tier=TrustTier.TRUSTED,
        require_zdr=True,
        require_baa=True,
        require_hipaa=True,
        require_soc2=True,
        provider_allowlist=("openai",),
        provider_blocklist=("deepseek",),
        model_allowlist=("gpt-*",),
        model_blocklist=("deepseek-*",),
    )
    not_broken = {Code.CREATOR_BLOCKED, Code.MODEL_UNKNOWN, Code.PROVIDER_NOT_CONFIGURED, Code.NO_COMPLIANT_PROVIDER}
    assert verdict.codes == tuple(code for code in Code if code not in not_broken)
    assert len(verdict.reasons) == len(verdict.codes)


def test_warn_forwards_and_tells(make_point: MakePoint) -> None:
    """The reasons stand in the entry of an allowed request."""
    verdict = decide(make_point("deepseek"), "deepseek-chat", enforcement=Enforcement.WARN, block_china_providers=True)
    assert (verdict.allowed, verdict.provider, verdict.codes) == (True, "deepseek", ("china_based",))


def test_soft_block_takes_the_first_that_complies(make_point: MakePoint) -> None:
    """The reasons are those of the provider that was asked for, the name is that of the one that serves."""
    point = make_point("groq", "cerebras", "bedrock", "vertex")
    verdict = decide(
        point,
        "groq/openai/gpt-oss-120b",
        enforcement=Enforcement.SOFT_BLOCK,
        minimum_trust_tier=TrustTier.MOST_TRUSTED,
    )
    assert (verdict.allowed, verdict.provider, verdict.requested_provider) == (True, "bedrock", "groq")
    assert (verdict.upstream_model, verdict.canonical_model) == ("openai.gpt-oss-120b", "gpt-oss-120b")
    assert verdict.reasons == ("Provider 'groq' does not meet minimum trust tier 'most_trusted'",)


def test_soft_block_keeps_who_complies(make_point: MakePoint) -> None:
    """Nothing is rerouted without a reason."""
    verdict = decide(make_point("groq", "bedrock"), "groq/openai/gpt-oss-120b", enforcement=Enforcement.SOFT_BLOCK)
    assert (verdict.provider, verdict.codes) == ("groq", ())


@pytest.mark.parametrize("configured", [("groq",), ("groq", "cerebras"), ()])
def test_soft_block_refuses_if_nobody_complies(make_point: MakePoint, configured: tuple[str, ...]) -> None:
    """It says so beside the reasons."""
    rules: dict[str, Any] = {"enforcement": Enforcement.SOFT_BLOCK, "minimum_trust_tier": TrustTier.MOST_TRUSTED}
    verdict = decide(make_point(*configured), "groq/openai/gpt-oss-120b", **rules)
    assert (verdict.allowed, verdict.codes) == (False, ("trust_tier", "no_compliant_provider"))


def test_soft_block_reroutes_only_within_the_dialect(make_point: MakePoint) -> None:
    """Nothing is translated, so another provider must take the request as it is."""
    rules: dict[str, Any] = {"enforcement": Enforcement.SOFT_BLOCK, "provider_blocklist": ("groq",)}
    both = ConfiguredProvider(id="bedrock", dialects=("openai", "anthropic"))
    point = make_point("groq", "cerebras", both)
    model = "groq/openai/gpt-oss-120b"
    assert decide(point, model, Operation.CHAT, **rules).provider == "cerebras"
    assert decide(point, model, Operation.MESSAGES, **rules).provider == "bedrock"


@pytest.mark.parametrize("enforcement", list(Enforcement))
def test_an_unknown_model_is_refused_whatever_the_enforcement(make_point: MakePoint, enforcement: Enforcement) -> None:
    """Nobody can be judged, so nobody is asked."""
    verdict = decide(make_point("openai"), "nonsense", enforcement=enforcement, block_china_providers=True)
    assert (verdict.allowed, verdict.codes, verdict.requested_provider) == (False, ("model_unknown",), "")
    assert verdict.reasons == ("Model 'nonsense' could not be resolved to a provider",)


@pytest.mark.parametrize("enforcement", list(Enforcement))
def test_a_provider_that_is_not_configured_is_refused(make_point: MakePoint, enforcement: Enforcement) -> None:
    """Only where the policy would let it through: else the policy's reasons are what matters."""
    verdict = decide(make_point("openai"), "claude-2.1", enforcement=enforcement)
    assert (verdict.allowed, verdict.codes) == (False, ("provider_not_configured",))
    assert verdict.requested_provider == "anthropic"


def test_under_warn_both_are_told(make_point: MakePoint) -> None:
    """The policy warns, and the provider is missing all the same."""
    verdict = decide(make_point(), "deepseek-chat", enforcement=Enforcement.WARN, block_china_providers=True)
    assert (verdict.allowed, verdict.codes) == (False, ("china_based", "provider_not_configured"))


def test_without_policy_all_that_is_configured_is_allowed(make_point: MakePoint) -> None:
    """The built-in policy has no rules."""
    verdict = make_point("deepseek").decide(NO_POLICY, RequestFacts(model="deepseek-chat"))
    assert (verdict.allowed, verdict.enforcement, verdict.codes) == (True, "warn", ())


def test_who_serves_is_judged_and_not_who_made_the_model(make_point: MakePoint) -> None:
    """Chinese weights on an American cloud send nothing to China."""
    rules: dict[str, Any] = {"block_china_providers": True, "minimum_trust_tier": TrustTier.MOST_TRUSTED}
    assert decide(make_point("bedrock"), "us.deepseek.r1-v1:0", **rules).allowed


def test_an_allowlist_also_matches_the_creator(make_point: MakePoint) -> None:
    """A list that names a maker means its models, wherever they are served."""
    point = make_point("bedrock", "groq")
    assert decide(point, "anthropic.claude-sonnet-4-6", provider_allowlist=("anthropic",)).allowed
    assert decide(point, "groq/llama-3.3-70b-versatile", provider_allowlist=("llama",)).allowed


def test_a_likely_creator_forbids_but_never_allows(make_point: MakePoint) -> None:
    """Whoever names a deployment `claude` does not get past an allowlist, and is met by a blocklist."""
    point = make_point("vllm")
    assert decide(point, "vllm/claude-x", provider_allowlist=("anthropic",)).codes == ("provider_not_allowed",)
    assert decide(point, "vllm/claude-x", provider_blocklist=("anthropic",)).codes == ("creator_blocked",)


def test_an_unknown_provider_does_not_pass_by_a_models_name(make_point: MakePoint) -> None:
    """At a provider that only the operator knows, a name proves nothing."""
    point = make_point("my-gateway")
    assert decide(point, "my-gateway/gpt-4o").allowed
    assert decide(point, "my-gateway/gpt-4o", provider_allowlist=("openai",)).codes == ("provider_not_allowed",)
    assert decide(point, "my-gateway/gpt-4o", block_china_providers=True).codes == ("china_based",)


def test_the_reason_names_the_creator(make_point: MakePoint) -> None:
    """In the spelling of the model file."""
    verdict = decide(make_point("openrouter"), "openrouter/microsoft/phi-4", provider_blocklist=("microsoft",))
    assert verdict.reasons == (
        "Model 'openrouter/microsoft/phi-4' was made by 'microsoft', which is on the policy's blocklist",
    )


@pytest.mark.parametrize("pattern", ["openai/GPT-4o", "gpt-4o", "*4o", "openai/*"])
def test_a_model_is_met_by_any_of_its_names(make_point: MakePoint, pattern: str) -> None:
    """As asked for, by its canonical id, or as it is sent."""
    point = make_point("openai")
    assert decide(point, "openai/gpt-4o", model_blocklist=(pattern,)).codes == ("model_blocked",)
    assert decide(point, "openai/gpt-4o", model_allowlist=("x", pattern)).allowed


def test_a_router_is_judged_by_an_unknown_upstream(make_point: MakePoint) -> None:
    """It may hand the request to anybody, so the strictest reading applies, whatever its own facts say."""
    verdict = decide(
        make_point("openrouter"),
        "openrouter/openai/gpt-4o",
        block_china_providers=True,
        minimum_trust_tier=TrustTier.TRUSTED,
        require_zdr=True,
        require_soc2=True,
    )
    assert verdict.codes == ("china_based", "trust_tier", "zdr", "soc2")


CHOSEN_BY_A_ROUTER = [
    "openrouter/auto",
    "openrouter/openrouter/auto",
    "openrouter/openrouter/free",
    "openrouter/@preset/x",
    "openrouter/openai/gpt-4o@preset/x",
    "openrouter/openai/gpt-4o@preset/x:free",
    "openrouter/openai/gpt-4o,deepseek/deepseek-chat",
    "openrouter/mistralai/../deepseek/deepseek-chat",
    "openrouter/deepseek%2Fdeepseek-chat",
    "openrouter/\N{FULLWIDTH LATIN SMALL LETTER D}eepseek/deepseek-chat",
    "openrouter/switchpoint/router",
    "openrouter/OpenRouter/Auto",
    "vercel/auto",
    "at-a-router",
]


@pytest.mark.parametrize("asked", CHOSEN_BY_A_ROUTER)
def test_no_list_is_kept_by_a_model_that_a_router_chooses(make_point: MakePoint, asked: str) -> None:
    """It may be any model by anybody, so that it breaks every rule about creators, models and China."""
    routed = ConfiguredProvider(id="openrouter", models=(ModelRoute(name="at-a-router", upstream="@preset/mine"),))
    point = make_point(routed, "vercel")
    assert decide(point, asked).allowed
    assert decide(point, asked, provider_blocklist=("deepseek",)).codes == ("creator_blocked",)
    assert decide(point, asked, provider_allowlist=("openai", "mistral")).codes == ("provider_not_allowed",)
    assert decide(point, asked, model_blocklist=("deepseek*",)).codes == ("model_blocked",)
    assert decide(point, asked, model_allowlist=("*",)).codes == ("model_not_allowed",)
    assert decide(point, asked, block_china_providers=True).codes == ("china_based",)
    soft = decide(point, asked, provider_blocklist=("deepseek",), enforcement=Enforcement.SOFT_BLOCK)
    assert soft.codes == ("creator_blocked", "no_compliant_provider")


def test_a_list_may_allow_a_choosing_router_by_name(make_point: MakePoint) -> None:
    """Who writes the very name, or that the router may serve anything, means it."""
    point = make_point("openrouter")
    assert decide(point, "openrouter/auto", model_allowlist=("OpenRouter/auto",)).allowed
    assert decide(point, "openrouter/auto", provider_allowlist=("openrouter",)).allowed


def test_the_reason_says_that_the_creator_is_unknown(make_point: MakePoint) -> None:
    """In the frozen words; the name of somebody who may not have made it would be wrong there."""
    verdict = decide(make_point("openrouter"), "openrouter/openai/gpt-4o@preset/x", provider_blocklist=("deepseek",))
    assert verdict.reasons == (
        "Model 'openrouter/openai/gpt-4o@preset/x' was made by 'unknown', which is on the policy's blocklist",
    )


@pytest.mark.parametrize(
    "asked",
    [
        "openrouter/openai/gpt-4o",
        "openrouter/openai/gpt-4o:online",
        "openrouter/new-author/New_Model-1.5:free",
        "openrouter/~anthropic/claude-sonnet-latest",
        "openrouter/gpt-4o",
        "huggingface/new-author/autoformer-7B:together",
        "vercel/xai/grok-99",
    ],
)
def test_a_router_told_which_model_does_not_choose(make_point: MakePoint, asked: str) -> None:
    """A name of the form that routers list stands for that model, known here or not."""
    point = make_point("openrouter", "huggingface", "vercel")
    assert decide(point, asked, provider_blocklist=("deepseek",), model_blocklist=("deepseek*",)).allowed
    assert decide(point, asked, model_allowlist=("*/*",)).allowed


def test_a_router_told_where_to_go_is_judged_together_with_that_provider(make_point: MakePoint) -> None:
    """Both see the prompt, so both must comply."""
    point = make_point("huggingface")
    rules: dict[str, Any] = {"block_china_providers": True, "minimum_trust_tier": TrustTier.TRUSTED}
    assert decide(point, "openai/gpt-oss-120b:groq", **rules).allowed
    assert decide(point, "openai/gpt-oss-120b:siliconflow", **rules).codes == ("china_based", "trust_tier")
    assert decide(point, "openai/gpt-oss-120b:openrouter", **rules).codes == ("china_based", "trust_tier")
    assert decide(point, "openai/gpt-oss-120b:fastest", **rules).codes == ("china_based", "trust_tier")


def test_who_resells_others_models_is_a_router_for_them(make_point: MakePoint) -> None:
    """Perplexity serves its own models and hands the others on."""
    point = make_point("perplexity")
    assert decide(point, "sonar", block_china_providers=True).allowed
    assert decide(point, "perplexity/openai/gpt-5", block_china_providers=True).codes == ("china_based",)


@pytest.mark.parametrize(
    ("configured", "model"),
    [
        (ConfiguredProvider(id="openai", china_endpoint=True), "gpt-4o"),
        (
            ConfiguredProvider(id="bedrock"),
            "arn:aws-cn:bedrock:cn-north-1:1:foundation-model/anthropic.claude-sonnet-4-6",
        ),
    ],
)
def test_an_endpoint_in_china_is_china_based(make_point: MakePoint, configured: ConfiguredProvider, model: str) -> None:
    """Where the data goes counts, not who owns the provider; and the tier follows."""
    rules: dict[str, Any] = {"block_china_providers": True, "minimum_trust_tier": TrustTier.TRUSTED}
    assert decide(make_point(configured), model, **rules).codes == ("china_based", "trust_tier")


def test_a_route_names_the_provider_of_a_bare_name(make_point: MakePoint) -> None:
    """The operator's own names are decided like any other."""
    one = ConfiguredProvider(id="azure", models=(ModelRoute(name="best", upstream="prod", canonical="gpt-4o"),))
    verdict = decide(make_point(one), "best", model_allowlist=("gpt-4o",))
    assert (verdict.provider, verdict.upstream_model, verdict.canonical_model) == ("azure", "prod", "gpt-4o")


def test_a_pinned_provider_is_the_one_that_is_judged(make_point: MakePoint) -> None:
    """A provider named outside the string counts."""
    request = RequestFacts(model="claude-sonnet-4.5", pinned_provider="bedrock")
    verdict = make_point("anthropic", "bedrock").decide(policy(provider_blocklist=("bedrock",)), request)
    assert verdict.codes == ("provider_blocked",)


def test_the_rules_that_are_set_can_be_told(make_point: MakePoint) -> None:
    """So that an evaluation can list what was kept beside what was broken."""
    rules = Rules(enforcement=Enforcement.WARN, require_zdr=True, provider_blocklist=("x",))
    assert rules_asked(rules) == ("zdr", "provider_blocked", "creator_blocked")
    assert rules_asked(NO_POLICY.rules) == ()
    assert make_point("sandbox").decide(
        msgspec.structs.replace(NO_POLICY, rules=rules), RequestFacts(model="sandbox/echo")
    ) == Verdict(
        allowed=True,
        enforcement=Enforcement.WARN,
        provider="sandbox",
        requested_provider="sandbox",
        canonical_model="sandbox/echo",
        upstream_model="sandbox/echo",
    )


def test_catalogue_and_models_must_belong_together(catalogue: Catalogue, models: Models) -> None:
    """An entry names one hash, which covers both."""
    other = msgspec.structs.replace(models, sha256="00")
    with pytest.raises(ValueError, match="another file of models"):
        DecisionPoint(catalogue, other)
