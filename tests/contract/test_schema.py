"""The schema that migrations make is the one that the program speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from scriba.errors import SettingsError
from scriba.storage.database import Database
from scriba.storage.schema import migrate, schema_state
from scriba.storage.tables import metadata

if TYPE_CHECKING:
    from tests.stores import OpenStore


def test_migrations_make_exactly_the_tables(store: OpenStore) -> None:
    """Promise: the schema is written down once; migrations and tables never drift apart."""
    with store.store.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_migrating_again_does_nothing(store: OpenStore) -> None:
    """Promise: every start may migrate."""
    assert migrate(store.store.database) is False


def test_a_newer_database_is_refused(store: OpenStore) -> None:
    """Promise: an older program never writes to a schema that it does not know."""
    with store.store.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SettingsError, match=r"9999.*newer version"):
        migrate(store.store.database)


def test_an_empty_database_has_no_schema(database_url: str) -> None:
    """Promise: what was never used is told from what was."""
    database = Database(database_url)
    with database.read() as connection:
        assert schema_state(connection)[0] is None
    database.close()
