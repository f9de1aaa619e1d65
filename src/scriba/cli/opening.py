"""What a command works on: the settings, and the store they name. No server is needed and none is loaded."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from scriba.errors import NotFound
from scriba.gateway.configured import read_settings
from scriba.settings import Settings
from scriba.storage.control import Control
from scriba.storage.database import Database
from scriba.storage.guard import Guard
from scriba.storage.schema import schema_of
from scriba.storage.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Opened", "database_of", "is_empty", "open_existing", "open_or_found"]


class Opened(msgspec.Struct, frozen=True):
    """A store and its control tables, up to date when they were opened."""

    settings: Settings
    store: Store
    control: Control


@contextmanager
def database_of(settings: Settings) -> Iterator[Database]:
    """Connect to the database, whatever is in it."""
    database = Database(settings.database_url)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def open_or_found(config: Path | None) -> Iterator[Opened]:
    """Open the store; a new deployment begins if there is none yet."""
    settings = read_settings(config)
    with database_of(settings) as database:
        store = open_store(database, Guard(settings.guard_dir), settings.secret_path, settings.deployment)
        control = Control(database, store.hot, store.keyring, store.deployment)
        control.refresh()
        yield Opened(settings, store, control)


@contextmanager
def open_existing(config: Path | None) -> Iterator[Opened]:
    """Open the store that is there.

    :raises NotFound: nothing was ever written here; a command that only reads must not begin a deployment
    """
    settings = read_settings(config)
    with database_of(settings) as database:
        empty = is_empty(database) and Guard(settings.guard_dir).is_empty()
    if empty:
        raise NotFound(
            f"Nothing has been written to {settings.database_shown} yet.",
            hint="Start with `scriba serve`, or run this in the folder that it runs in.",
        )
    with open_or_found(config) as opened:
        yield opened


def is_empty(database: Database) -> bool:
    """Whether nothing was ever written to a database."""
    return schema_of(database)[0] is None
