"""Bringing a database to the schema that this version of Scriba expects."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from scriba.errors import SettingsError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from scriba.storage.database import Database

__all__ = ["migrate", "schema_of", "schema_state"]

_MIGRATIONS: Final = Path(__file__).with_name("migrations")
_ADVISORY_LOCK: Final = 0x5C71BA


def schema_state(connection: Connection) -> tuple[str | None, str]:
    """Return the revision that a database is at (None: it is empty) and the one that this program expects."""
    return MigrationContext.configure(connection).get_current_revision(), _expected()


def schema_of(database: Database) -> tuple[str | None, str]:
    """Do the same for a whole database. A SQLite file is not made by asking.

    :raises StoreUnreachable: it does not answer
    """
    if database.path is not None and not database.path.exists():
        return None, _expected()
    with database.read() as connection:
        return schema_state(connection)


@cache
def _expected() -> str:
    expected = ScriptDirectory(str(_MIGRATIONS)).get_current_head()
    if expected is None:
        raise AssertionError("no migration is packaged")
    return expected


def migrate(database: Database) -> bool:
    """Bring the database to the expected schema, all or nothing. True if anything was done.

    Several processes may start at once: one migrates, the others wait for it.

    :raises SettingsError: the database was written by a newer version
    :raises StoreUnreachable: it does not answer
    """
    if database.path is not None:
        _make_file(database.path)
    with database.write() as connection:
        if database.dialect == "postgresql":
            # A migration takes the time it takes, and so does waiting for another process's.
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        current, expected = schema_state(connection)
        if current == expected:
            return False
        _refuse_unknown(current)
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        return True


def _make_file(path: Path) -> None:
    """Make the file of a new SQLite database, so that only its owner can read the addresses and names in it.

    The files that SQLite puts beside it get the same mode. A file that is there is never opened here: closing it
    again would drop every lock that this process holds on the database (https://sqlite.org/howtocorrupt.html, 2.2).
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _refuse_unknown(current: str | None) -> None:
    known = {script.revision for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()}
    if current is not None and current not in known:
        raise SettingsError(
            f"The database has schema {current}, which this version of Scriba does not know.",
            param="database_url",
            hint="Run the newer version that wrote it.",
        )
