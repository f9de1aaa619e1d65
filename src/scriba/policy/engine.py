"""The decision: which rules a request breaks, and what follows from that.

The provider that would serve the request is judged. Every broken rule is told, not only the first.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from scriba.domain.record import Enforcement, Operation
from scriba.policy.catalogue import ASSURANCES, Catalogue, TrustTier
from scriba.policy.patterns import compile_patterns
from scriba.policy.reasons import Code, long_reason, short_reasons
from scriba.policy.resolution import Offer, Resolution, Resolver
from scriba.policy.vendors import Vendors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scriba.policy.models import Models
    from scriba.policy.rules import Policy, Rules

__all__ = ["DecisionPoint", "RequestFacts", "Verdict", "rules_asked"]

RESOLD: Final = {"perplexity": frozenset({"perplexity"})}
"""Providers that serve only models of these makers themselves and hand every other request on."""


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
        self._standing = lru_cache(1024)(self._judge_standing)
        self._vendors = lru_cache(1024)(self._as_vendors)

    def decide(self, policy: Policy, request: RequestFacts) -> Verdict:
        """Return the verdict. Never raises, whatever the request says."""
        resolution = self.resolver.resolve(request.model, request.pinned_provider)
        if not resolution.provider:
            return self._refused(policy, resolution, (Code.MODEL_UNKNOWN,))
        codes = self._broken(policy.rules, resolution)
        if codes and policy.rules.enforcement == Enforcement.SOFT_BLOCK:
            return self._rerouted(policy, request, resolution, codes)
        if codes and policy.rules.enforcement != Enforcement.WARN:
            return self._refused(policy, resolution, codes)
        if resolution.provider not in self._configured:
            return self._refused(policy, resolution, (*codes, Code.PROVIDER_NOT_CONFIGURED))
        return self._allowed(policy, resolution, codes, resolution.provider, resolution.upstream_model)

    def alternatives(self, policy: Policy, request: RequestFacts) -> Iterator[Offer]:
        """Yield the other configured providers of the same model that comply and can take the request as it is."""
        resolution = self.resolver.resolve(request.model, request.pinned_provider)
        for offer in self.resolver.offers(resolution):
            if offer.provider.speaks(request.operation) and not self._broken(
                policy.rules, _served_by(resolution, offer)
            ):
                yield offer

    def _rerouted(
        self, policy: Policy, request: RequestFacts, resolution: Resolution, codes: tuple[Code, ...]
    ) -> Verdict:
        offer = next(self.alternatives(policy, request), None)
        if offer is None:
            return self._refused(policy, resolution, (*codes, Code.NO_COMPLIANT_PROVIDER))
        return self._allowed(policy, resolution, codes, offer.provider.id, offer.upstream_model)

    def _broken(self, rules: Rules, resolution: Resolution) -> tuple[Code, ...]:
        subject = self._subject(rules, resolution)
        return tuple(check.code for check in _CHECKS if check.is_asked(rules) and check.is_broken(rules, subject))

    def _subject(self, rules: Rules, resolution: Resolution) -> _Subject:
        provider, creator = resolution.provider, resolution.creator
        resold = creator not in RESOLD.get(provider, (creator,))
        return _Subject(
            standing=self._standing(provider, resolution.upstream_provider, resolution.china_endpoint, resold),
            provider=provider,
            creator=self.vendors.id_of(creator) or creator,
            creator_established=resolution.creator_established,
            models=(resolution.model, resolution.canonical_model, resolution.upstream_model),
            allowlist=self._vendors(rules.provider_allowlist),
            blocklist=self._vendors(rules.provider_blocklist),
        )

    def _judge_standing(self, provider: str, upstream: str, china_endpoint: bool, resold: bool) -> _Standing:  # noqa: FBT001 -- positional for the cache
        """Return what may be relied on when `provider` serves, or hands on to `upstream` ("" is anybody)."""
        facts = self.catalogue.facts(provider)
        chain = [facts]
        if facts.router or resold:
            further = self.catalogue.facts(upstream)
            chain.append(self.catalogue.facts("") if further.router else further)
        configured = self._configured.get(provider)
        in_china = china_endpoint or (configured is not None and configured.china_endpoint)
        return _Standing(
            china_based=in_china or any(one.counts_as_china_based for one in chain),
            tier=TrustTier.SKETCHY if in_china else max((one.trust_tier for one in chain), key=lambda tier: tier.rank),
            assured=frozenset(name for name in ASSURANCES if all(one.assures(name) for one in chain)),
        )

    def _as_vendors(self, listed: tuple[str, ...]) -> frozenset[str]:
        return frozenset(self.vendors.id_of(name) or name.lower() for name in listed)

    def _allowed(
        self, policy: Policy, resolution: Resolution, codes: tuple[Code, ...], provider: str, upstream_model: str
    ) -> Verdict:
        return Verdict(
            allowed=True,
            enforcement=policy.rules.enforcement,
            provider=provider,
            requested_provider=resolution.provider,
            canonical_model=resolution.canonical_model,
            upstream_model=upstream_model,
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
    """What the rules look at. `creator` is a provider id where the maker is one."""

    standing: _Standing
    provider: str
    creator: str
    creator_established: bool
    models: tuple[str, ...]
    allowlist: frozenset[str]
    blocklist: frozenset[str]

    @property
    def is_allowlisted(self) -> bool:
        """A likely creator does not count here."""
        return self.provider in self.allowlist or (self.creator_established and self.creator in self.allowlist)

    @property
    def is_creator_blocked(self) -> bool:
        """Said only where `provider_blocked` does not say it already."""
        return self.creator != self.provider and self.creator in self.blocklist

    def is_model_in(self, patterns: tuple[str, ...]) -> bool:
        """As asked for, by its canonical id, or as it is sent."""
        compiled = compile_patterns(patterns)
        return any(compiled.match(name) for name in self.models if name)


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
    _Check(Code.PROVIDER_NOT_ALLOWED, lambda rules: rules.provider_allowlist, lambda _, on: not on.is_allowlisted),
    _Check(Code.PROVIDER_BLOCKED, lambda rules: rules.provider_blocklist, lambda _, on: on.provider in on.blocklist),
    _Check(Code.CREATOR_BLOCKED, lambda rules: rules.provider_blocklist, lambda _, on: on.is_creator_blocked),
    _Check(
        Code.MODEL_NOT_ALLOWED,
        lambda rules: rules.model_allowlist,
        lambda rules, on: not on.is_model_in(rules.model_allowlist),
    ),
    _Check(
        Code.MODEL_BLOCKED,
        lambda rules: rules.model_blocklist,
        lambda rules, on: on.is_model_in(rules.model_blocklist),
    ),
)
"""The rules, in the order in which reasons are listed."""


def _served_by(resolution: Resolution, offer: Offer) -> Resolution:
    return msgspec.structs.replace(
        resolution,
        provider=offer.provider.id,
        upstream_model=offer.upstream_model,
        upstream_provider="",
        china_endpoint=False,
    )


def _texts(rules: Rules, resolution: Resolution, codes: tuple[Code, ...]) -> tuple[str, ...]:
    return tuple(
        long_reason(
            code,
            provider=resolution.provider,
            model=resolution.model,
            creator=resolution.creator,
            tier=rules.minimum_trust_tier or "",
        )
        for code in codes
    )
