"""Giving up everything a database holds, for those who only tried Scriba out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from scriba.storage.tables import metadata

if TYPE_CHECKING:
    from scriba.storage.database import Database

__all__ = ["clear"]


def clear(database: Database) -> None:
    """Drop every table of ours, all or none, and the whole file of a SQLite database.

    A server that still runs gets errors from then on, for its tables are gone.

    :raises StoreUnreachable: the database does not answer
    """
    if database.path is not None and not database.path.exists():
        return
    with database.write() as connection:
        metadata.drop_all(connection)
        connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
    if database.path is not None:
        database.close()
        for suffix in ("-wal", "-shm", ""):
            database.path.with_name(database.path.name + suffix).unlink(missing_ok=True)
