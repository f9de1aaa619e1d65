"""The data that comes with this version is whole and agrees with itself."""

from __future__ import annotations

import tomllib
from datetime import date
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest

from scriba.policy.catalogue import ASSURANCES, Catalogue, trust_tier
from scriba.policy.families import FAMILIES, family
from scriba.policy.models import Models, models_file

if TYPE_CHECKING:
    from collections.abc import Iterator

PROVIDERS = files("scriba.policy").joinpath("providers.toml").read_bytes()


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield every value of a document that is no object, with its path."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}")
    else:
        yield path, value


def test_every_provider_of_a_model_is_in_the_catalogue(catalogue: Catalogue, models: Models) -> None:
    """A name that leads nowhere would be a wrong record."""
    used = {name for model in models.models.values() for name in model.served_by}
    used |= {model.first_party for model in models.models.values() if model.first_party}
    assert used <= catalogue.providers.keys()
    assert set(FAMILIES) <= catalogue.providers.keys()


def test_a_first_party_lists_its_model(models: Models) -> None:
    """The bare name must have a name to send."""
    for model in models.models.values():
        assert not model.first_party or model.first_party in model.served_by, model.id


def test_no_name_at_a_provider_belongs_to_two_models(models: Models) -> None:
    """Otherwise an entry could name the wrong one."""
    pairs = [(provider, name.lower()) for model in models.models.values() for provider, name in model.served_by.items()]
    assert len(pairs) == len(set(pairs))
    assert len(pairs) > 1000


def test_families_agree_with_the_file(models: Models) -> None:
    """The rules for names that no list knows may not contradict those that it does."""
    for model in models.models.values():
        name = model.served_by.get(model.first_party, "").lower()
        assert family(name) in {"", model.first_party}, model.id
        if not model.first_party:
            assert family(model.id) in {"", model.developer}, model.id


def test_what_the_contract_names_is_there(models: Models) -> None:
    """The samples of the documentation resolve by the file."""
    assert models.models["claude-sonnet-4-20250514"].first_party == "anthropic"
    assert models.models["deepseek-chat"].weights == "alias"
    assert models.models["sandbox/echo"].first_party == "sandbox"
    assert len(models.models) >= 150


def test_the_tier_in_the_file_is_the_one_that_follows(catalogue: Catalogue) -> None:
    """Nobody is trusted by hand."""
    written = tomllib.loads(PROVIDERS.decode())["providers"]
    for facts in catalogue.providers.values():
        assert facts.trust_tier == trust_tier(facts) == written[facts.id]["trust_tier"], facts.id


def test_every_statement_has_source_date_and_evidence(catalogue: Catalogue) -> None:
    """A fact that nobody can look up is no fact."""
    compiled = date.fromisoformat(catalogue.compiled)
    for facts in catalogue.providers.values():
        for name in ASSURANCES:
            fact = getattr(facts, name)
            if fact.value != "unknown":
                assert fact.source, (facts.id, name)
                assert fact.evidence, (facts.id, name)
                assert date.fromisoformat(fact.date) <= compiled, (facts.id, name)


def test_nothing_in_the_documents_is_empty_or_a_fraction(catalogue: Catalogue) -> None:
    """They are hashed, so a meaning has one form."""
    for path, value in leaves(catalogue.document()):
        assert path.isascii(), path
        assert value not in (None, "", [], {}), path
        assert not isinstance(value, float), path


@pytest.mark.parametrize(("data", "limit"), [(models_file(), 60_000), (PROVIDERS, 90_000)])
def test_the_files_stay_small_and_plain(data: bytes, limit: int) -> None:
    """They are read by people, and loaded at every start."""
    assert 20_000 < len(data) < limit
    assert b"\t" not in data
    tables: dict[str, Any] = tomllib.loads(data.decode())
    assert len(tables) >= 2
