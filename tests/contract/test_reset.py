"""A database that was given up is as one that was never used."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect

from scriba.storage.database import Database
from scriba.storage.reset import clear
from scriba.storage.schema import migrate, schema_of

if TYPE_CHECKING:
    from tests.stores import OpenStore


def test_nothing_of_ours_is_left(store: OpenStore) -> None:
    """Promise: no table stays, and of SQLite no file, so that no deleted entry can be read from it."""
    database = store.store.database
    clear(database)
    if database.path is not None:
        assert list(Path(database.path).parent.glob("scriba.db*")) == []
    assert schema_of(database)[0] is None
    with database.read() as connection:
        assert inspect(connection).get_table_names() == []


def test_it_can_be_used_anew(store: OpenStore) -> None:
    """Promise: the next start begins as on an empty database."""
    clear(store.store.database)
    with closing(Database(store.url)) as database:
        assert migrate(database) is True
        current, expected = schema_of(database)
        assert current == expected


def test_clearing_an_empty_database_is_harmless(database_url: str) -> None:
    """Promise: it may be repeated, and makes nothing."""
    with closing(Database(database_url)) as database:
        clear(database)
        clear(database)
        assert database.path is None or not database.path.exists()
