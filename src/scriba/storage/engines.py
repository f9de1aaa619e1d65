"""Connections to SQLite and PostgreSQL, set up so that a commit is durable and nobody waits for ever."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import NoSuchModuleError

from scriba.errors import SettingsError

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy import URL
    from sqlalchemy.engine.interfaces import DBAPIConnection

__all__ = ["WRITE", "postgresql_engine", "sqlite_engine"]

WRITE: Final = "scriba_write"
"""Execution option of a connection whose transaction is going to write."""

_CONNECT_SECONDS: Final = 5
_POOL_SECONDS: Final = 10
_STATEMENT_SECONDS: Final = 30
_COMMON: Final[dict[str, Any]] = {
    "pool_timeout": _POOL_SECONDS,
    "hide_parameters": True,  # errors are logged; what requests said is not
}


def sqlite_engine(url: URL, size: int, patience: float, cache: int) -> Engine:
    """Make a pool of `size` connections to a file; who writes waits `patience` seconds for other processes.

    :param cache: KiB of pages that each connection keeps in memory at most
    """
    timeout = {"timeout": patience, "check_same_thread": False}
    # The connection used last comes first, or a single reader would fill the caches of all.
    engine = create_engine(url, pool_size=size, pool_use_lifo=True, connect_args=timeout, **_COMMON)
    event.listen(engine, "connect", partial(_prepare_sqlite, cache))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def postgresql_engine(url: URL, size: int, patience: float) -> Engine:
    """Make a pool of `size` connections to a server; a lock is waited for `patience` seconds.

    A network that swallows packets is noticed after some seconds, too.

    :raises SettingsError: the driver is not installed
    """
    limits = {"lock_timeout": int(patience * 1000), "statement_timeout": _STATEMENT_SECONDS * 1000}
    arguments = {
        "connect_timeout": _CONNECT_SECONDS,
        "options": " ".join(f"-c {name}={value}" for name, value in limits.items()),
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,
    }
    try:
        engine = create_engine(url, pool_size=size, pool_pre_ping=True, connect_args=arguments, **_COMMON)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise SettingsError(
            "The driver for PostgreSQL is not installed.",
            param="database_url",
            hint='Install it with: pip install "scriba[postgres]"',
        ) from error
    event.listen(engine, "connect", _prepare_postgresql)
    return engine


def _prepare_sqlite(cache: int, connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # a commit that was answered survives a power cut
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA cache_size = -{cache}")


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get(WRITE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _prepare_postgresql(connection: DBAPIConnection, _record: object) -> None:
    """See to it that a commit is on disk when it returns, whatever the server's default; stricter ones stay."""
    cursor = connection.cursor()
    cursor.execute(
        "SELECT set_config('synchronous_commit', 'on', false)"
        " WHERE current_setting('synchronous_commit') IN ('off', 'local')"
    )
    cursor.close()
    connection.commit()
