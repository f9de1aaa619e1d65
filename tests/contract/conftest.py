"""The contract of the storage is tested over both databases by the same tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.ageing import Clock
from tests.stores import OpenStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Make an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/scriba.db"
    url: str = request.getfixturevalue("postgres").new_database()
    return url


@pytest.fixture
def store(database_url: str, tmp_path: Path) -> Iterator[OpenStore]:
    """Open a new store with one organisation."""
    opened = OpenStore.open(tmp_path, database_url)
    yield opened
    opened.close()


@pytest.fixture
def clock(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Rule the time of the store."""
    clock = Clock(monkeypatch)
    clock.rule(store.store.database)
    return clock
