"""The decision point against a second, naive statement of the rules, and the laws that every decision keeps."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any, Final

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from scriba.domain.record import Enforcement, Operation
from scriba.policy.catalogue import (
    ASSURANCES,
    Catalogue,
    Fact,
    ProviderFacts,
    TrustTier,
    load_catalogue,
    read_catalogue,
)
from scriba.policy.catalogue import trust_tier as derived_tier
from scriba.policy.configured import ConfiguredProvider
from scriba.policy.document import canonical_json
from scriba.policy.engine import DecisionPoint, RequestFacts, Verdict
from scriba.policy.models import Model, Models, load_models
from scriba.policy.reasons import Code
from scriba.policy.rules import Policy, Rules, read_policy

PROVIDERS: Final = ("alpha", "beta", "gamma", "delta")
MODELS: Final = ("m-1", "m-2", "m-3")
TIERS: Final = ("most_trusted", "trusted", "sketchy")
VENDORS: Final = (*PROVIDERS, "maker", "stranger")
PATTERNS: Final = ("m-1", "M-2", "m-*", "*", "alpha/*", "*-3", "gamma/m-1", "other")

SHIPPED_MODELS: Final = load_models()
SHIPPED: Final = load_catalogue(SHIPPED_MODELS.sha256)

some_facts = st.sampled_from([Fact(value="yes"), Fact(value="no"), Fact()])
facts_of_a_provider = st.fixed_dictionaries(
    {
        "china_based": st.booleans(),
        "china_established": st.booleans(),
        "kind": st.sampled_from(["api", "self_hosted"]),
        "router": st.booleans(),
    }
    | dict.fromkeys(ASSURANCES, some_facts)
)


def models_called(name: str) -> st.SearchStrategy[Model]:
    """Return models that everybody who serves them calls `name`."""
    return st.builds(
        Model,
        id=st.just(name),
        developer=st.sampled_from(["maker", "alpha"]),
        weights=st.sampled_from(["open", "closed", "alias"]),
        first_party=st.sampled_from(["", "beta"]),
        served_by=st.sets(st.sampled_from(PROVIDERS)).map(lambda ids: dict.fromkeys(ids, name)),
    )


some_models = st.fixed_dictionaries({name: models_called(name) for name in MODELS})
some_dialects = st.sampled_from([("openai",), ("anthropic",), ("openai", "anthropic")])
configured_or_not = {
    name: st.none()
    | st.builds(ConfiguredProvider, id=st.just(name), china_endpoint=st.booleans(), dialects=some_dialects)
    for name in PROVIDERS
}
some_configured = st.permutations(PROVIDERS).flatmap(
    lambda order: st.tuples(*(configured_or_not[name] for name in order)).map(
        lambda ones: tuple(one for one in ones if one)
    )
)
some_rules = st.builds(
    Rules,
    enforcement=st.sampled_from(Enforcement),
    minimum_trust_tier=st.none() | st.sampled_from(TrustTier),
    block_china_providers=st.booleans(),
    require_zdr=st.booleans(),
    require_baa=st.booleans(),
    require_hipaa=st.booleans(),
    require_soc2=st.booleans(),
    provider_allowlist=st.lists(st.sampled_from(VENDORS), max_size=3).map(tuple),
    provider_blocklist=st.lists(st.sampled_from(VENDORS), max_size=2).map(tuple),
    model_allowlist=st.lists(st.sampled_from(PATTERNS), max_size=3).map(tuple),
    model_blocklist=st.lists(st.sampled_from(PATTERNS), max_size=1).map(tuple),
)
operations = st.sampled_from(Operation)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Catalogue, Models]:
    """Draw a small catalogue with some providers configured, and its models."""
    models = Models(models=draw(some_models), sha256="00")
    providers = {}
    for name in PROVIDERS:
        drawn: dict[str, Any] = draw(facts_of_a_provider)
        facts = ProviderFacts(id=name, name=name, trust_tier=TrustTier.SKETCHY, **drawn)
        providers[name] = msgspec.structs.replace(facts, trust_tier=derived_tier(facts))
    configured = draw(some_configured)
    return Catalogue(compiled="2026-01-01", models_sha256="00", providers=providers, configured=configured), models


def policy(rules: Rules) -> Policy:
    """Return a policy with these rules."""
    return Policy(id="gpol_1", org_id="org_1", name="p", rules=rules)


class Naive:
    """The rules once more, as plain as they can be said, for requests of the form `provider/model`."""

    def __init__(self, catalogue: Catalogue, models: Models) -> None:
        self.catalogue = catalogue
        self.models = models
        self.china_endpoints = {one.id for one in catalogue.configured if one.china_endpoint}

    def model(self, provider: str, name: str) -> Model | None:
        """Return the model that a name proves: none where the operator runs something that the file does not list."""
        model = self.models.models.get(name)
        if model and self.catalogue.providers[provider].kind == "self_hosted" and provider not in model.served_by:
            return None
        return model

    def broken(self, rules: Rules, provider: str, asked: str, model: Model | None) -> list[str]:
        """Return the codes of the broken rules if `provider` serves what was asked for."""
        facts = self.catalogue.providers[provider]
        china = facts.china_based or not facts.china_established or facts.router or provider in self.china_endpoints
        tier = TIERS.index("sketchy" if china else facts.trust_tier)
        good = {name for name in ASSURANCES if getattr(facts, name).value == "yes" and not facts.router}
        creator = model.developer if model else ""
        names = {asked, asked.split("/")[1], model.id if model else asked}
        any_model = facts.router and model is None  # since no name here has an author

        def listed(patterns: tuple[str, ...]) -> bool:
            if any_model:
                return any(name == pattern.lower() for name in names for pattern in patterns)
            return any(fnmatchcase(name, pattern.lower()) for name in names for pattern in patterns)

        checks = {
            "china_based": rules.block_china_providers and china,
            "trust_tier": bool(rules.minimum_trust_tier) and tier > TIERS.index(rules.minimum_trust_tier or "sketchy"),
            "zdr": rules.require_zdr and "zdr" not in good,
            "baa": rules.require_baa and "baa" not in good,
            "hipaa": rules.require_hipaa and "hipaa" not in good,
            "soc2": rules.require_soc2 and "soc2" not in good,
            "provider_not_allowed": rules.provider_allowlist
            and not {provider, creator} & set(rules.provider_allowlist),
            "provider_blocked": provider in rules.provider_blocklist,
            "creator_blocked": bool(rules.provider_blocklist)
            if any_model
            else creator in rules.provider_blocklist and creator != provider,
            "model_not_allowed": rules.model_allowlist and not listed(rules.model_allowlist),
            "model_blocked": bool(rules.model_blocklist) if any_model else listed(rules.model_blocklist),
        }
        return [code for code, is_broken in checks.items() if is_broken]

    def decide(self, rules: Rules, provider: str, name: str, operation: Operation) -> tuple[bool, str, list[str]]:
        """Return whether it is allowed, who serves it, and why."""
        asked, model = f"{provider}/{name}", self.model(provider, name)
        codes = self.broken(rules, provider, asked, model)
        configured = [one.id for one in self.catalogue.configured]
        if codes and rules.enforcement == "soft_block":
            for other in self.others(provider, model, operation):
                if not self.broken(rules, other, asked, model):
                    return True, other, codes
            return False, "", [*codes, "no_compliant_provider"]
        if codes and rules.enforcement == "hard_block":
            return False, "", codes
        if provider not in configured:
            return False, "", [*codes, "provider_not_configured"]
        return True, provider, codes

    def others(self, provider: str, model: Model | None, operation: Operation) -> list[str]:
        """Return who else is configured to serve the same model in the same dialect."""
        if model is None or model.weights == "alias":
            return []
        dialect = "anthropic" if operation == "messages" else "openai"
        return [
            one.id
            for one in self.catalogue.configured
            if one.id != provider
            and one.id in model.served_by
            and dialect in one.dialects
            and (model.weights == "open" or one.id == model.first_party)
        ]


@given(worlds(), some_rules, st.sampled_from(PROVIDERS), st.sampled_from((*MODELS, "other")), operations)
def test_the_engine_agrees_with_the_naive_statement(
    world: tuple[Catalogue, Models], rules: Rules, provider: str, name: str, operation: Operation
) -> None:
    """Two statements of the same rules, written apart, come to the same verdict with the same reasons."""
    request = RequestFacts(model=f"{provider}/{name}", operation=operation)
    verdict = DecisionPoint(*world).decide(policy(rules), request)
    expected = Naive(*world).decide(rules, provider, name, operation)
    assert (verdict.allowed, verdict.provider, list(verdict.codes)) == expected


@given(worlds(), some_rules, st.sampled_from(PROVIDERS), st.sampled_from(MODELS), st.randoms(use_true_random=False))
def test_the_order_of_lists_does_not_matter(
    world: tuple[Catalogue, Models], rules: Rules, provider: str, name: str, random: Any
) -> None:
    """A list is a set of names."""
    lists = {field: list(getattr(rules, field)) for field in rules.__struct_fields__ if field.endswith("list")}
    for entries in lists.values():
        random.shuffle(entries)
    shuffled = msgspec.structs.replace(rules, **{field: tuple(entries) for field, entries in lists.items()})
    point, request = DecisionPoint(*world), RequestFacts(model=f"{provider}/{name}")
    assert point.decide(policy(shuffled), request) == point.decide(policy(rules), request)


@given(worlds(), some_rules, some_rules, st.sampled_from(PROVIDERS), st.sampled_from(MODELS))
def test_adding_a_rule_under_hard_block_never_allows_more(
    world: tuple[Catalogue, Models], rules: Rules, added: Rules, provider: str, name: str
) -> None:
    """What one set of rules refuses, that set and more refuse as well."""
    rules = msgspec.structs.replace(rules, enforcement=Enforcement.HARD_BLOCK)
    point, request = DecisionPoint(*world), RequestFacts(model=f"{provider}/{name}")
    before = point.decide(policy(rules), request)
    after = point.decide(policy(tightened(rules, added)), request)
    assert before.allowed or not after.allowed
    assert set(before.codes) - {Code.PROVIDER_NOT_CONFIGURED} <= set(after.codes)


def tightened(rules: Rules, added: Rules) -> Rules:
    """Return `rules` with those of `added` on top. An allowlist is tightened by being set or by losing names."""
    changes: dict[str, Any] = {}
    for field in rules.__struct_fields__:
        old, new = getattr(rules, field), getattr(added, field)
        if isinstance(old, bool):
            changes[field] = old or new
        elif field.endswith("blocklist"):
            changes[field] = (*old, *new)
        elif field.endswith("allowlist"):
            kept = tuple(name for name in old if name in new)
            changes[field] = (kept or old) if old else new
    tiers = [tier for tier in (rules.minimum_trust_tier, added.minimum_trust_tier) if tier]
    strictest = min(tiers, key=lambda tier: tier.rank, default=None)
    return msgspec.structs.replace(rules, minimum_trust_tier=strictest, **changes)


@given(worlds(), some_rules, st.sampled_from(PROVIDERS), st.sampled_from(MODELS), st.data())
def test_an_unknown_fact_never_helps(
    world: tuple[Catalogue, Models], rules: Rules, provider: str, name: str, data: st.DataObject
) -> None:
    """Whatever is forgotten about whomever, no request is allowed that was refused, and no reason goes away."""
    rules = msgspec.structs.replace(rules, enforcement=Enforcement.HARD_BLOCK)
    catalogue, models = world
    forgetful = catalogue.providers[data.draw(st.sampled_from(PROVIDERS))]
    fact = data.draw(st.sampled_from((*ASSURANCES, "china_established")))
    changes: dict[str, Any] = {fact: False if fact == "china_established" else Fact()}
    forgot = msgspec.structs.replace(forgetful, **changes)
    forgot = msgspec.structs.replace(forgot, trust_tier=derived_tier(forgot))
    less = msgspec.structs.replace(catalogue, providers=catalogue.providers | {forgot.id: forgot})
    request = RequestFacts(model=f"{provider}/{name}")
    before = DecisionPoint(catalogue, models).decide(policy(rules), request)
    after = DecisionPoint(less, models).decide(policy(rules), request)
    assert before.allowed or not after.allowed
    assert set(before.codes) - {Code.PROVIDER_NOT_CONFIGURED} <= set(after.codes)


shipped_names = st.sampled_from(sorted(SHIPPED_MODELS.by_name))
shipped_ids = st.sampled_from(sorted(SHIPPED.ids))
suffixes = st.sampled_from(["", ":free", ":groq", ":0", "-latest", "@20250514", "-maas", ":70b-q4", "/"])
prefixes = shipped_ids.flatmap(lambda name: st.sampled_from(["", f"{name}/", f"{name}:", f"{name}.", f"us.{name}."]))
asked_strings = st.text(max_size=300) | st.builds(
    "".join, st.tuples(prefixes, shipped_names | st.text(max_size=9), suffixes)
)
some_requests = st.builds(
    RequestFacts,
    model=asked_strings,
    operation=operations,
    pinned_provider=st.just("") | shipped_ids | st.text(max_size=9),
)
shipped_points = st.lists(st.sampled_from(sorted(SHIPPED.providers)), unique=True, max_size=6).map(
    lambda ids: DecisionPoint(
        SHIPPED.with_configured(tuple(ConfiguredProvider(id=one, dialects=("openai", "anthropic")) for one in ids)),
        SHIPPED_MODELS,
    )
)


def assert_whole(verdict: Verdict, point: DecisionPoint) -> None:
    """Check what every verdict promises to its entry."""
    order = [list(Code).index(code) for code in verdict.codes]
    configured = {one.id for one in point.catalogue.configured}
    assert order == sorted(set(order))
    assert len(verdict.reasons) == len(verdict.codes)
    assert verdict.allowed == bool(verdict.provider) == bool(verdict.upstream_model)
    assert verdict.allowed or verdict.codes
    assert not verdict.provider or verdict.provider in configured
    assert bool(verdict.requested_provider) == (Code.MODEL_UNKNOWN not in verdict.codes)


@given(shipped_points, some_rules, some_requests)
def test_any_request_has_a_whole_verdict(point: DecisionPoint, rules: Rules, request: RequestFacts) -> None:
    """No input raises, and no verdict allows without a configured provider or refuses without a reason."""
    assert_whole(point.decide(policy(rules), request), point)


@given(shipped_points, some_rules, some_requests)
def test_a_verdict_can_be_computed_again_from_the_stored_documents(
    point: DecisionPoint, rules: Rules, request: RequestFacts
) -> None:
    """The two documents behind the hashes of an entry are enough."""
    one = policy(rules)
    catalogue = read_catalogue(json.loads(canonical_json(point.catalogue.document())))
    again = DecisionPoint(catalogue, SHIPPED_MODELS)
    stored = read_policy(json.loads(canonical_json(one.document())))
    assert again.catalogue.sha256 == point.catalogue.sha256
    assert stored.sha256 == one.sha256
    assert again.decide(stored, request) == point.decide(one, request)


@given(shipped_points, some_rules, some_requests)
def test_a_rerouted_request_goes_only_where_the_policy_allows(
    point: DecisionPoint, rules: Rules, request: RequestFacts
) -> None:
    """Whoever stands in would have been allowed if asked for by name."""
    soft = msgspec.structs.replace(rules, enforcement=Enforcement.SOFT_BLOCK)
    hard = msgspec.structs.replace(rules, enforcement=Enforcement.HARD_BLOCK, model_allowlist=(), model_blocklist=())
    verdict = point.decide(policy(soft), request)
    if verdict.allowed and verdict.provider != verdict.requested_provider:
        asked = RequestFacts(model=verdict.upstream_model, pinned_provider=verdict.provider)
        assert point.decide(policy(hard), asked).codes == ()
