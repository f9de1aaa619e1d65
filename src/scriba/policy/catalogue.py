"""What is known about providers, as a value that a decision can be recomputed from.

The facts come from `providers.toml`, one statement each with its source and date. Not knowing is a value of its own and
never helps: it is read as "no" for the four assurances and as "yes" for China-based.
"""

from __future__ import annotations

import re
import tomllib
from datetime import date
from enum import StrEnum
from functools import cached_property
from importlib.resources import files
from typing import Final, Literal

import msgspec

from scriba.policy.configured import ConfiguredProvider
from scriba.policy.document import Document, document, sha256

__all__ = [
    "ASSURANCES",
    "Catalogue",
    "Fact",
    "ProviderFacts",
    "TrustTier",
    "build_catalogue",
    "load_catalogue",
    "read_catalogue",
    "trust_tier",
    "unknown_provider",
]

ASSURANCES: Final = ("zdr", "baa", "hipaa", "soc2")
"""The facts that a policy can require."""

MONTHS_VALID: Final = 24
"""For how long before the catalogue was compiled a statement still counts."""


_CAMEL: Final = re.compile("_([a-z])")


class TrustTier(StrEnum):
    """How far a provider is trusted, best first."""

    MOST_TRUSTED = "most_trusted"
    TRUSTED = "trusted"
    SKETCHY = "sketchy"

    @property
    def rank(self) -> int:
        """0 is best."""
        return _RANKS[self]

    def meets(self, minimum: TrustTier) -> bool:
        """Whether this tier is at least as good as `minimum`."""
        return self.rank <= minimum.rank


_RANKS: Final = {tier: rank for rank, tier in enumerate(TrustTier)}


class Fact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """One statement about a provider.

    :param value: what is known
    :param conditions: what it takes to get it, in words
    :param source: where it is stated
    :param date: day of the statement, as YYYY-MM-DD
    :param date_kind: `shown` if the source prints the date, `read` if it is the day it was read
    :param evidence: `official` if the vendor says so itself, else `secondary`
    """

    value: Literal["yes", "no", "unknown"] = "unknown"
    conditions: str = ""
    source: str = ""
    date: str = ""
    date_kind: Literal["shown", "read", ""] = ""
    evidence: Literal["official", "secondary", ""] = ""

    @property
    def holds(self) -> bool:
        """Whether it may be relied on."""
        return self.value == "yes"


class ProviderFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What the catalogue says about one provider. The head of `providers.toml` explains the fields."""

    id: str
    name: str
    legal_entity: str = ""
    entity_basis: str = ""
    hq_country: str = ""
    china_based: bool
    china_established: bool
    china_reason: str = ""
    kind: Literal["api", "self_hosted"]
    router: bool
    data_regions: tuple[str, ...] = ()
    zdr: Fact = Fact()
    baa: Fact = Fact()
    hipaa: Fact = Fact()
    soc2: Fact = Fact()
    openai_base_url: str = ""
    anthropic_base_url: str = ""
    env: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    ids: dict[str, tuple[str, ...]] = {}
    trust_tier: TrustTier
    tier_rationale: str = ""
    notes: str = ""

    @property
    def counts_as_china_based(self) -> bool:
        """Whether it must be treated as China-based; a parent that could not be established counts."""
        return self.china_based or not self.china_established

    def assures(self, assurance: str) -> bool:
        """Whether `assurance` (one of `ASSURANCES`) may be relied on."""
        fact: Fact = getattr(self, assurance)
        return fact.holds


class Catalogue(msgspec.Struct, frozen=True, kw_only=True, dict=True, forbid_unknown_fields=True, rename="camel"):
    """All that a verdict depends on beside the policy: providers, models (by hash) and what is configured here.

    :param compiled: day on which the facts were put together, as YYYY-MM-DD
    :param models_sha256: hash of the model file that names are resolved by
    :param providers: facts by provider id
    :param configured: the providers that requests can be sent to, in the operator's order
    """

    schema_version: int = 1
    compiled: str
    models_sha256: str
    providers: dict[str, ProviderFacts]
    configured: tuple[ConfiguredProvider, ...] = ()

    def document(self) -> Document:
        """Return the document that `read_catalogue` reads back to an equal catalogue."""
        return document(self)

    @cached_property
    def sha256(self) -> str:
        """Hash of the canonical JSON of `document`, in hex."""
        return sha256(self.document())

    @cached_property
    def ids(self) -> dict[str, str]:
        """Every id and alias, in lower case, to the provider's id."""
        found = {alias.lower(): facts.id for facts in self.providers.values() for alias in facts.aliases}
        return found | {name.lower(): name for name in self.providers}

    def provider_id(self, name: str) -> str:
        """Return the id that `name` (an id or alias in any case) stands for, or "" if it is none."""
        return self.ids.get(name.lower(), "")

    def facts(self, provider: str) -> ProviderFacts:
        """Return what is known of `provider`: nothing, if it is not in the catalogue."""
        return self.providers.get(provider) or unknown_provider(provider)

    def with_configured(self, configured: tuple[ConfiguredProvider, ...]) -> Catalogue:
        """Return this catalogue for another set of configured providers."""
        return msgspec.structs.replace(self, configured=configured)


def unknown_provider(provider: str) -> ProviderFacts:
    """Return the facts of a provider of whom nothing is known."""
    return ProviderFacts(
        id=provider,
        name=provider,
        china_based=False,
        china_established=False,
        kind="api",
        router=False,
        trust_tier=TrustTier.SKETCHY,
        tier_rationale="Not in the catalogue (rule 5).",
    )


def trust_tier(facts: ProviderFacts) -> TrustTier:
    """Return the tier that follows from the facts; the first line that applies counts."""
    assured = [facts.soc2.holds, facts.zdr.holds, facts.baa.holds]
    if facts.counts_as_china_based:  # 1
        return TrustTier.SKETCHY
    if facts.kind == "self_hosted":  # 2
        return TrustTier.TRUSTED
    if all(assured) and not facts.router:  # 4a; a router is trusted at most (3)
        return TrustTier.MOST_TRUSTED
    return TrustTier.TRUSTED if any(assured) else TrustTier.SKETCHY  # 3 and 4b, 5


def load_catalogue(models_sha256: str) -> Catalogue:
    """Return the catalogue that comes with this version, for the model file of this hash."""
    text = files(__package__).joinpath("providers.toml").read_text("utf-8")
    return build_catalogue(tomllib.loads(text), models_sha256)


def build_catalogue(source: Document, models_sha256: str) -> Catalogue:
    """Return the catalogue of a parsed `providers.toml`, reading statements that are too old as unknown.

    :raises ValueError: it is not of that form, or contradicts itself
    """
    file = msgspec.convert(_camel(source), _File)
    oldest = _months_before(date.fromisoformat(file.compiled), MONTHS_VALID)
    providers = {facts.id: _aged(facts, oldest) for facts in file.providers.values()}
    if list(providers) != list(file.providers):
        raise ValueError("a table of providers.toml does not have the id of its provider")
    _check_aliases(file.providers)
    return Catalogue(compiled=file.compiled, models_sha256=models_sha256, providers=providers)


def read_catalogue(stored: Document) -> Catalogue:
    """Return the catalogue of a stored document, exactly as it was: nothing grows old here.

    :raises ValueError: it is not such a document
    """
    return msgspec.convert(stored, Catalogue)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    schema_version: Literal[1]
    compiled: str
    providers: dict[str, ProviderFacts]


def _camel(value: object) -> object:
    """Return our own file as a document has it: names in camel case, what is empty left out."""
    if isinstance(value, dict):
        filled = {name: inner for name, inner in value.items() if inner != []}
        return {_CAMEL.sub(lambda found: found[1].upper(), name): _camel(inner) for name, inner in filled.items()}
    return value


def _aged(facts: ProviderFacts, oldest: date) -> ProviderFacts:
    fresh = {name: _aged_fact(getattr(facts, name), oldest) for name in ASSURANCES}
    aged = msgspec.structs.replace(facts, **fresh)
    # a tier written into the file can only be stricter than what follows from the facts
    tier = max(facts.trust_tier, trust_tier(aged), key=lambda tier: tier.rank)
    return msgspec.structs.replace(aged, trust_tier=tier)


def _aged_fact(fact: Fact, oldest: date) -> Fact:
    if fact.value == "unknown" or (fact.date and date.fromisoformat(fact.date) >= oldest):
        return fact
    return msgspec.structs.replace(fact, value="unknown")


def _months_before(day: date, months: int) -> date:
    count = day.year * 12 + day.month - 1 - months
    return date(count // 12, count % 12 + 1, min(day.day, 28))


def _check_aliases(providers: dict[str, ProviderFacts]) -> None:
    owner = {name.lower(): name for name in providers}
    for facts in providers.values():
        for alias in facts.aliases:
            if owner.setdefault(alias.lower(), facts.id) != facts.id:
                raise ValueError(f"'{alias}' names both {owner[alias.lower()]} and {facts.id}")
