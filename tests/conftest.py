"""What tests of several rooms share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from tests.provider import KEY, Provider, providing
from tests.running import Running, serving, settings_in
from tests.stores import OpenStore, PostgresServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A shared machine may pause a test; what is slow is found by benchmarks, not by deadlines.
settings.register_profile("scriba", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("scriba")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Start a PostgreSQL server for this test process."""
    server = PostgresServer()
    yield server
    server.stop()


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[OpenStore]:
    """Open a new store in a SQLite file."""
    opened = OpenStore.open(tmp_path, f"sqlite:///{tmp_path}/scriba.db")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def _session_provider() -> Iterator[Provider]:
    with providing() as provider:
        yield provider


@pytest.fixture
def provider(_session_provider: Provider) -> Provider:
    """Run a strict provider that has forgotten whatever earlier tests told it."""
    _session_provider.reset()
    return _session_provider


@pytest.fixture(scope="session")
def server(_session_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Run a server for this test process, with the sandbox and, as `openai`, the provider.

    Each test makes a tenant of its own.
    """
    toml = f"""
    [providers.openai]
    base_url = "{_session_provider.url}"
    [providers.sandbox]
    enabled = true
    """
    with serving(settings_in(tmp_path_factory.mktemp("server"), toml, {"OPENAI_API_KEY": KEY})) as running:
        yield running


@pytest.fixture(scope="session")
def polyglot(_session_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Run a server like `server` that has the provider in both dialects: as `openai` and as `anthropic`."""
    toml = f"""
    [providers.openai]
    base_url = "{_session_provider.url}"
    [providers.anthropic]
    anthropic_base_url = "{_session_provider.host}"
    [providers.sandbox]
    enabled = true
    """
    keys = {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY}
    with serving(settings_in(tmp_path_factory.mktemp("polyglot"), toml, keys)) as running:
        yield running
