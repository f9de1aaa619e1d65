"""The decision: which rules a request breaks, and what follows from that.

The provider that would serve the request is judged. Every broken rule is told, not only the first.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from scriba.domain.record import Enforcement, Operation
from scriba.policy.catalogue import ASSURANCES, Catalogue, TrustTier, unknown_provider
from scriba.policy.patterns import compile_patterns
from scriba.policy.reasons import Code, long_reason, short_reasons
from scriba.policy.resolution import CACHE_SIZE, Resolver
from scriba.policy.vendors import Vendors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scriba.policy.models import Models
    from scriba.policy.names import Resolution
    from scriba.policy.resolution import Offer
    from scriba.policy.rules import Policy, Rules

__all__ = ["DecisionPoint", "RequestFacts", "Verdict", "rules_asked"]

RESOLD: Final = {"perplexity": frozenset({"perplexity"})}
"""Providers that serve only models of these makers themselves and hand every other request on."""


_UNKNOWN: Final = "unknown"
"""Who made a model that a router chooses, in the text of a reason."""


class RequestFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision needs to know of a request.

    :param model: the model string as asked for
    :param pinned_provider: a provider (id or alias) named outside the model string, or ""
    """

    model: str
    operation: Operation = Operation.CHAT
    pinned_provider: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided, in the words of the entry.

    :param provider: who serves the request; "" if it is refused
    :param requested_provider: who was asked for; "" if the model could not be resolved
    :param upstream_model: the name to send; "" if it is refused
    :param codes: every reason, in the frozen order; also of what is allowed under `warn` and `soft_block`
    :param reasons: the long texts, one for each code
    """

    allowed: bool
    enforcement: Enforcement
    provider: str = ""
    requested_provider: str = ""
    canonical_model: str = ""
    upstream_model: str = ""
    codes: tuple[Code, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def short(self) -> tuple[str, ...]:
        """The short texts of the reasons."""
        return short_reasons(self.reasons)


class DecisionPoint:
    """Decides for one catalogue (with the providers configured in it) and one file of models.

    It holds no state but what it derived from them, so another set of facts is another decision point.
    """

    def __init__(self, catalogue: Catalogue, models: Models) -> None:
        if catalogue.models_sha256 != models.sha256:
            raise ValueError("the catalogue was made for another file of models")
        self.catalogue = catalogue
        self.models = models
        self.resolver = Resolver(catalogue, models)
        self.vendors = Vendors(catalogue, models)
        self._configured = {one.id: one for one in catalogue.configured}
        self._subject = lru_cache(CACHE_SIZE)(self._as_subject)

    def decide(self, policy: Policy, request: RequestFacts) -> Verdict:
        """Return the verdict. Never raises, whatever the request says."""
        resolution = self._resolved(request)
        if not resolution.provider:
            return self._refused(policy, resolution, (Code.MODEL_UNKNOWN,))
        codes = self._broken(policy.rules, resolution)
        if codes and policy.rules.enforcement == Enforcement.SOFT_BLOCK:
            return self._rerouted(policy, request, resolution, codes)
        if codes and policy.rules.enforcement != Enforcement.WARN:
            return self._refused(policy, resolution, codes)
        if resolution.provider not in self._configured:
            return self._refused(policy, resolution, (*codes, Code.PROVIDER_NOT_CONFIGURED))
        return self._allowed(policy, resolution, codes, resolution)

    def alternatives(self, policy: Policy, request: RequestFacts) -> Iterator[Offer]:
        """Yield the other configured providers of the same model that comply and can take the request as it is."""
        resolution = self._resolved(request)
        for offer in self.resolver.offers(resolution):
            if offer.provider.speaks(request.operation) and not self._broken(policy.rules, offer.resolution):
                yield offer

    def _resolved(self, request: RequestFacts) -> Resolution:
        """Return whom a request is for.

        A name that leaves the provider open means one that can take the request as it is, if any is configured.
        """
        resolution = self.resolver.resolve(request.model, request.pinned_provider)
        configured = self._configured.get(resolution.provider)
        if configured is None or configured.speaks(request.operation) or request.pinned_provider:
            return resolution
        if self.resolver.names_provider(request.model):
            return resolution
        speaking = (o.resolution for o in self.resolver.offers(resolution) if o.provider.speaks(request.operation))
        return next(speaking, resolution)

    def _rerouted(
        self, policy: Policy, request: RequestFacts, resolution: Resolution, codes: tuple[Code, ...]
    ) -> Verdict:
        offer = next(self.alternatives(policy, request), None)
        if offer is None:
            return self._refused(policy, resolution, (*codes, Code.NO_COMPLIANT_PROVIDER))
        return self._allowed(policy, resolution, codes, offer.resolution)

    def _broken(self, rules: Rules, resolution: Resolution) -> tuple[Code, ...]:
        subject = self._subject(resolution)
        return tuple(check.code for check in _CHECKS if check.is_asked(rules) and check.is_broken(rules, subject))

    def _as_subject(self, resolution: Resolution) -> _Subject:
        return _Subject(
            standing=self._standing(resolution),
            provider=resolution.provider,
            creator=self.vendors.id_of(resolution.creator) or resolution.creator,
            creator_established=resolution.creator_established,
            names=resolution.names,
            router_chooses=resolution.router_chooses,
            vendors=self.vendors,
        )

    def _standing(self, resolution: Resolution) -> _Standing:
        """Return what may be relied on: of the provider alone, or together with whom it hands the request to."""
        provider, creator = resolution.provider, resolution.creator
        chain = [self.catalogue.facts(provider)]
        if chain[0].router or creator not in RESOLD.get(provider, (creator,)):
            further = self.catalogue.facts(resolution.upstream_provider)
            chain.append(unknown_provider(further.id) if further.router else further)
        configured = self._configured.get(provider)
        in_china = resolution.china_endpoint or (configured is not None and configured.china_endpoint)
        return _Standing(
            china_based=in_china or any(one.counts_as_china_based for one in chain),
            tier=TrustTier.SKETCHY if in_china else max((one.trust_tier for one in chain), key=lambda tier: tier.rank),
            assured=frozenset(name for name in ASSURANCES if all(one.assures(name) for one in chain)),
        )

    def _allowed(self, policy: Policy, resolution: Resolution, codes: tuple[Code, ...], served: Resolution) -> Verdict:
        return Verdict(
            allowed=True,
            enforcement=policy.rules.enforcement,
            provider=served.provider,
            requested_provider=resolution.provider,
            canonical_model=resolution.canonical_model,
            upstream_model=served.upstream_model,
            codes=codes,
            reasons=_texts(policy.rules, resolution, codes),
        )

    def _refused(self, policy: Policy, resolution: Resolution, codes: tuple[Code, ...]) -> Verdict:
        return Verdict(
            allowed=False,
            enforcement=policy.rules.enforcement,
            requested_provider=resolution.provider,
            canonical_model=resolution.canonical_model,
            codes=codes,
            reasons=_texts(policy.rules, resolution, codes),
        )


def rules_asked(rules: Rules) -> tuple[Code, ...]:
    """Return the codes of the rules that are set: those that a verdict does not name were kept."""
    return tuple(check.code for check in _CHECKS if check.is_asked(rules))


class _Standing(NamedTuple):
    china_based: bool
    tier: TrustTier
    assured: frozenset[str]


class _Subject(NamedTuple):
    """What the rules look at. `creator` is a provider id where the maker is one.

    Where a router chooses the model, it may be any, by anybody: no list of creators or models is kept then, but for
    one that allows the very name.
    """

    standing: _Standing
    provider: str
    creator: str
    creator_established: bool
    names: frozenset[str]
    router_chooses: bool
    vendors: Vendors

    def is_allowlisted(self, listed: tuple[str, ...]) -> bool:
        """Whether provider or creator is listed; a creator that is only likely does not count here."""
        ids = self.vendors.ids_of(listed)
        return self.provider in ids or (self.creator_established and self.creator in ids)

    def is_provider_in(self, listed: tuple[str, ...]) -> bool:
        return self.provider in self.vendors.ids_of(listed)

    def is_creator_in(self, listed: tuple[str, ...]) -> bool:
        """Whether the creator is listed, where that is not said of it as the provider already."""
        return self.router_chooses or (self.creator != self.provider and self.creator in self.vendors.ids_of(listed))

    def is_model_allowlisted(self, patterns: tuple[str, ...]) -> bool:
        """Whether the model is meant; a wildcard means none that a router chooses."""
        if self.router_chooses:
            return not self.names.isdisjoint(pattern.lower() for pattern in patterns)
        return self._is_model_in(patterns)

    def is_model_blocklisted(self, patterns: tuple[str, ...]) -> bool:
        return self.router_chooses or self._is_model_in(patterns)

    def _is_model_in(self, patterns: tuple[str, ...]) -> bool:
        """Whether the model is meant: as asked for, by its canonical id, or as it is sent."""
        compiled = compile_patterns(patterns)
        return any(compiled.match(name) for name in self.names)


class _Check(NamedTuple):
    code: Code
    is_asked: Callable[[Rules], object]
    is_broken: Callable[[Rules, _Subject], bool]


def _tier_broken(rules: Rules, subject: _Subject) -> bool:
    minimum = rules.minimum_trust_tier
    return minimum is not None and not subject.standing.tier.meets(minimum)


_CHECKS: Final = (
    _Check(Code.CHINA_BASED, lambda rules: rules.block_china_providers, lambda _, on: on.standing.china_based),
    _Check(Code.TRUST_TIER, lambda rules: rules.minimum_trust_tier, _tier_broken),
    _Check(Code.ZDR, lambda rules: rules.require_zdr, lambda _, on: "zdr" not in on.standing.assured),
    _Check(Code.BAA, lambda rules: rules.require_baa, lambda _, on: "baa" not in on.standing.assured),
    _Check(Code.HIPAA, lambda rules: rules.require_hipaa, lambda _, on: "hipaa" not in on.standing.assured),
    _Check(Code.SOC2, lambda rules: rules.require_soc2, lambda _, on: "soc2" not in on.standing.assured),
    _Check(
        Code.PROVIDER_NOT_ALLOWED,
        lambda rules: rules.provider_allowlist,
        lambda rules, on: not on.is_allowlisted(rules.provider_allowlist),
    ),
    _Check(
        Code.PROVIDER_BLOCKED,
        lambda rules: rules.provider_blocklist,
        lambda rules, on: on.is_provider_in(rules.provider_blocklist),
    ),
    _Check(
        Code.CREATOR_BLOCKED,
        lambda rules: rules.provider_blocklist,
        lambda rules, on: on.is_creator_in(rules.provider_blocklist),
    ),
    _Check(
        Code.MODEL_NOT_ALLOWED,
        lambda rules: rules.model_allowlist,
        lambda rules, on: not on.is_model_allowlisted(rules.model_allowlist),
    ),
    _Check(
        Code.MODEL_BLOCKED,
        lambda rules: rules.model_blocklist,
        lambda rules, on: on.is_model_blocklisted(rules.model_blocklist),
    ),
)
"""The rules, in the order in which reasons are listed."""


def _texts(rules: Rules, resolution: Resolution, codes: tuple[Code, ...]) -> tuple[str, ...]:
    return tuple(
        long_reason(
            code,
            provider=resolution.provider,
            model=resolution.model,
            creator=resolution.creator or _UNKNOWN,
            tier=rules.minimum_trust_tier or "",
        )
        for code in codes
    )
