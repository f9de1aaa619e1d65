"""The names that provider lists may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scriba.policy.configured import ConfiguredProvider
from scriba.policy.vendors import Vendors

if TYPE_CHECKING:
    from scriba.policy.catalogue import Catalogue
    from scriba.policy.models import Models


@pytest.mark.parametrize(
    ("name", "vendor"),
    [
        ("openai", "openai"),
        ("OpenAI", "openai"),
        ("qwen", "alibaba"),
        ("ibm", "watsonx"),
        ("amazon", "amazon"),
        ("x", ""),
    ],
)
def test_ids_aliases_and_makers_are_vendors(vendors: Vendors, name: str, vendor: str) -> None:
    """A maker that is a provider has that provider's id, so both are meant by one name."""
    assert vendors.id_of(name) == vendor


def test_a_configured_provider_is_a_vendor(catalogue: Catalogue, models: Models) -> None:
    """An id that only the operator knows is as good as ours."""
    configured = catalogue.with_configured((ConfiguredProvider(id="My-Gateway"),))
    assert Vendors(configured, models).id_of("my-gateway") == "My-Gateway"


def test_a_list_keeps_what_is_not_known(vendors: Vendors) -> None:
    """A name that was taken on trust still means itself, in any case."""
    assert vendors.ids_of(("Qwen", "Acme")) == {"alibaba", "acme"}


def test_the_nearest_name_is_told(vendors: Vendors) -> None:
    """A slip is answered with what was probably meant; nonsense with nothing."""
    assert vendors.nearest("opanai") == "openai"
    assert not vendors.nearest("xyzzy")
