"""The catalogue: facts, how they grow old, the tier that follows, and the document it is stored as."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scriba.policy.catalogue import (
    ASSURANCES,
    Catalogue,
    Fact,
    ProviderFacts,
    TrustTier,
    build_catalogue,
    read_catalogue,
    trust_tier,
    unknown_provider,
)
from scriba.policy.configured import ConfiguredProvider, ModelRoute
from scriba.policy.document import canonical_json

YES = Fact(value="yes")


def source(**entry: Any) -> dict[str, Any]:
    """Return a parsed catalogue file with one provider `p`."""
    plain = {
        "id": "p",
        "name": "P",
        "china_based": False,
        "china_established": True,
        "kind": "api",
        "router": False,
        "trust_tier": "most_trusted",
    }
    return {"schema_version": 1, "compiled": "2026-11-24", "providers": {"p": plain | entry}}


def facts(**changes: Any) -> ProviderFacts:
    """Return the facts of a provider of whom all is known and good."""
    good: dict[str, Any] = dict.fromkeys(ASSURANCES, YES)
    plain: dict[str, Any] = {"china_based": False, "china_established": True, "kind": "api", "router": False}
    return ProviderFacts(id="p", name="P", trust_tier=TrustTier.SKETCHY, **(plain | good | changes))


@pytest.mark.parametrize(
    ("changes", "tier"),
    [
        ({}, "most_trusted"),
        ({"china_based": True}, "sketchy"),
        ({"china_established": False}, "sketchy"),
        ({"china_based": True, "kind": "self_hosted"}, "sketchy"),
        ({"kind": "self_hosted"}, "trusted"),
        ({"kind": "self_hosted", "zdr": Fact(), "baa": Fact(), "soc2": Fact()}, "trusted"),
        ({"router": True}, "trusted"),
        ({"hipaa": Fact()}, "most_trusted"),
        ({"zdr": Fact(value="no")}, "trusted"),
        ({"zdr": Fact(), "baa": Fact()}, "trusted"),
        ({"zdr": Fact(), "baa": Fact(), "soc2": Fact()}, "sketchy"),
        ({"router": True, "zdr": Fact(), "baa": Fact(), "soc2": Fact()}, "sketchy"),
    ],
)
def test_the_tier_follows_from_the_facts(changes: dict[str, Any], tier: str) -> None:
    """The first line of the rule that applies decides; unknown and no do not count."""
    assert trust_tier(facts(**changes)) == tier


def test_tiers_are_ordered_best_first() -> None:
    """A tier meets itself and all that are worse."""
    assert [[tier.meets(minimum) for minimum in TrustTier] for tier in TrustTier] == [
        [True, True, True],
        [False, True, True],
        [False, False, True],
    ]


@pytest.mark.parametrize(
    ("date", "value"),
    [("2024-11-24", "yes"), ("2024-11-23", "unknown"), ("2026-11-24", "yes"), ("", "unknown")],
)
def test_a_statement_older_than_24_months_is_unknown(date: str, value: str) -> None:
    """Age is measured against the day of compilation, so a verdict of later years stays the same."""
    built = build_catalogue(source(zdr={"value": "yes", "date": date}), "00")
    assert built.providers["p"].zdr.value == value
    assert built.providers["p"].zdr.date == date


def test_an_old_no_is_unknown_as_well() -> None:
    """What nobody knows any more is said so."""
    built = build_catalogue(source(baa={"value": "no", "date": "2020-01-01"}), "00")
    assert built.providers["p"].baa.value == "unknown"


def test_a_tier_falls_with_the_statements_it_stood_on() -> None:
    """The tier in the file cannot outlive its reasons."""
    fresh, old = {"value": "yes", "date": "2026-01-01"}, {"value": "yes", "date": "2020-01-01"}
    assert build_catalogue(source(zdr=fresh, baa=fresh, soc2=fresh), "00").providers["p"].trust_tier == "most_trusted"
    assert build_catalogue(source(zdr=fresh, baa=fresh, soc2=old), "00").providers["p"].trust_tier == "trusted"
    assert build_catalogue(source(zdr=old, baa=old, soc2=old), "00").providers["p"].trust_tier == "sketchy"


def test_a_tier_in_the_file_may_be_stricter_than_the_facts() -> None:
    """Caution is never overruled."""
    fresh = {"value": "yes", "date": "2026-01-01"}
    entry = source(zdr=fresh, baa=fresh, soc2=fresh, trust_tier="sketchy")
    assert build_catalogue(entry, "00").providers["p"].trust_tier == "sketchy"


@pytest.mark.parametrize(
    "entry",
    [
        {"china_based": "no"},
        {"kind": "moon"},
        {"trust_tier": "best"},
        {"zdr": {"value": "maybe"}},
        {"zdr": {"value": "yes", "data": "2026-01-01"}},
        {"zdr": {"value": "yes", "date": "yesterday"}},
        {"id": "q"},
        {"unheard_of": 1},
    ],
)
def test_a_malformed_file_is_refused(entry: dict[str, Any]) -> None:
    """A slip in the data stops the start and does not become a fact."""
    with pytest.raises(ValueError, match=r"."):
        build_catalogue(source(**entry), "00")


def test_one_name_cannot_mean_two_providers() -> None:
    """An alias that is another's id or alias is refused."""
    file = source(aliases=["Q"])
    file["providers"]["q"] = file["providers"]["p"] | {"id": "q", "aliases": []}
    with pytest.raises(ValueError, match="'Q' names both q and p"):
        build_catalogue(file, "00")


def test_the_document_reads_back_to_an_equal_catalogue(catalogue: Catalogue) -> None:
    """What a verdict was computed from can be stored, and is the same afterwards, the configured providers included."""
    route = ModelRoute(name="my-gpt", upstream="prod", canonical="gpt-4o")
    whole = catalogue.with_configured((ConfiguredProvider(id="azure", models=(route,), china_endpoint=True),))
    stored = json.loads(canonical_json(whole.document()))
    assert read_catalogue(stored) == whole
    assert read_catalogue(stored).sha256 == whole.sha256


def test_reading_a_stored_catalogue_does_not_age_it() -> None:
    """A stored catalogue is what it was, whatever its dates say."""
    built = build_catalogue(source(zdr={"value": "yes", "date": "2026-11-24"}), "00")
    stored = built.document() | {"compiled": "2099-01-01"}
    assert read_catalogue(stored).providers["p"].zdr.holds


def test_the_hash_covers_models_facts_and_configured_providers(catalogue: Catalogue) -> None:
    """A decision under other data has another hash in its entry."""
    one, other = ConfiguredProvider(id="openai"), ConfiguredProvider(id="groq")
    variants = [
        catalogue,
        catalogue.with_configured((one, other)),
        catalogue.with_configured((other, one)),
        catalogue.with_configured((ConfiguredProvider(id="openai", china_endpoint=True),)),
        Catalogue(compiled=catalogue.compiled, models_sha256="00", providers=catalogue.providers),
        Catalogue(compiled=catalogue.compiled, models_sha256=catalogue.models_sha256, providers={}),
    ]
    assert len({variant.sha256 for variant in variants}) == len(variants)


def test_a_stored_document_that_is_none_is_refused() -> None:
    """Evidence that was tampered with is not read."""
    with pytest.raises(ValueError, match="compiled"):
        read_catalogue({"providers": {}})


def test_an_id_or_alias_in_any_case_stands_for_its_provider(catalogue: Catalogue) -> None:
    """Aliases are accepted on input and never written."""
    assert catalogue.provider_id("Gemini") == "google"
    assert catalogue.provider_id("OPENAI") == "openai"
    assert not catalogue.provider_id("nobody")


def test_of_a_stranger_nothing_is_known(catalogue: Catalogue) -> None:
    """An id that only the operator knows gets no benefit of the doubt."""
    stranger = catalogue.facts("my-gateway")
    assert stranger == unknown_provider("my-gateway")
    assert stranger.counts_as_china_based
    assert stranger.trust_tier == trust_tier(stranger) == "sketchy"
    assert not any(stranger.assures(name) for name in ASSURANCES)
