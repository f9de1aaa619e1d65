"""What a name is at a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scriba.policy.configured import ConfiguredProvider, ModelRoute
from scriba.policy.names import Names, Resolution

if TYPE_CHECKING:
    from scriba.policy.catalogue import Catalogue
    from scriba.policy.models import Models


@pytest.fixture
def names(catalogue: Catalogue, models: Models) -> Names:
    """Return the names where one route is configured."""
    route = ModelRoute(name="Mine", upstream="openai/gpt-oss-120b:together", canonical="gpt-oss-120b")
    return Names(catalogue.with_configured((ConfiguredProvider(id="huggingface", models=(route,)),)), models)


def test_all_names_of_a_resolution_can_be_meant_by_a_policy() -> None:
    """As asked, canonical and as sent, each once and in lower case."""
    found = Resolution(model="Groq/LLAMA", upstream_model="llama", canonical_model="Llama")
    assert found.names == {"groq/llama", "llama"}
    assert Resolution(model="").names == frozenset()


def test_only_the_very_name_is_listed(names: Names) -> None:
    """Another provider's name of the same model is not enough, a variant of the own is."""
    assert names.lists("groq", "openai/gpt-oss-120b")
    assert names.lists("groq", "openai/gpt-oss-120b:free")
    assert not names.lists("cerebras", "openai/gpt-oss-120b")
    assert not names.lists("azure", "gpt-4o")
    assert not names.lists("groq", "unheard-of")


def test_a_route_can_tell_a_router_where_to_go(names: Names) -> None:
    """The suffix of the name that is sent counts, not that of the name that is asked for."""
    found = names.routed("mine", "mine")
    assert found is not None
    assert (found.upstream_provider, found.canonical_model) == ("together", "gpt-oss-120b")
    assert names.routed("other", "other") is None


def test_moving_a_request_keeps_the_model_and_forgets_the_old_place(names: Names) -> None:
    """What the asked string said about the first provider does not hold for the second."""
    asked = Resolution(model="m", provider="bedrock", canonical_model="c", creator="x", china_endpoint=True)
    moved = names.moved(asked, "huggingface", "a/b:groq")
    assert moved == Resolution(
        model="m",
        provider="huggingface",
        canonical_model="c",
        creator="x",
        upstream_model="a/b:groq",
        upstream_provider="groq",
    )


def test_only_makers_and_strangers_may_be_authors(names: Names) -> None:
    """`groq/…` is always a prefix."""
    assert names.may_be_author("openai")
    assert names.may_be_author("nvidia")
    assert names.may_be_author("somebody")
    assert not names.may_be_author("groq")
