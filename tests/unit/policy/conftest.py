"""The shipped data, and decision points for any set of configured providers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scriba.policy.catalogue import Catalogue, load_catalogue
from scriba.policy.configured import ConfiguredProvider
from scriba.policy.engine import DecisionPoint
from scriba.policy.models import Models, load_models
from scriba.policy.vendors import Vendors

MakePoint = Callable[..., DecisionPoint]


@pytest.fixture(scope="session")
def models() -> Models:
    """Return the models of this version."""
    return load_models()


@pytest.fixture(scope="session")
def catalogue(models: Models) -> Catalogue:
    """Return the catalogue of this version, with nothing configured."""
    return load_catalogue(models.sha256)


@pytest.fixture(scope="session")
def vendors(catalogue: Catalogue, models: Models) -> Vendors:
    """Return the vendors that lists may name."""
    return Vendors(catalogue, models)


@pytest.fixture
def make_point(catalogue: Catalogue, models: Models) -> MakePoint:
    """Return a maker of decision points; what is configured is given by id or as it is."""

    def make(*configured: str | ConfiguredProvider) -> DecisionPoint:
        ones = tuple(ConfiguredProvider(id=one) if isinstance(one, str) else one for one in configured)
        return DecisionPoint(catalogue.with_configured(ones), models)

    return make
