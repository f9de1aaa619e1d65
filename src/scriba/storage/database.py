"""One SQL database, SQLite or PostgreSQL, as transactions.

Whoever writes says so when the transaction begins, because the two databases differ there: SQLite
takes its one write lock at once (`BEGIN IMMEDIATE`), so that no reader is upgraded half way and told
"database is locked"; PostgreSQL locks the rows that are asked for.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from scriba.errors import SettingsError, StoreUnreachable

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.engine.interfaces import DBAPICursor

__all__ = ["BUSY_TIMEOUT_MS", "Database", "Dialect", "driver_cursor"]

Dialect = Literal["sqlite", "postgresql"]

BUSY_TIMEOUT_MS: Final = 10_000
"""How long a writer of SQLite waits for another process's transaction, in milliseconds."""

_DRIVERS: Final = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgresql+psycopg": "postgresql+psycopg"}
_CONNECT_SECONDS: Final = 5
_POOL_SECONDS: Final = 10
_READERS: Final = 10
_WRITERS: Final = 3


class Database:
    """The SQL database behind a URL.

    :param url: `sqlite:///path` or `postgresql://…`
    :raises SettingsError: the URL is malformed or names another kind of database
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
            driver = _DRIVERS[parsed.drivername]
        except (ArgumentError, KeyError) as error:
            raise SettingsError(
                "The setting `database_url` is not a database URL that Scriba knows.",
                param="database_url",
                hint="Use sqlite:///path/to/scriba.db or postgresql://user@host/name.",
            ) from error
        self.dialect: Dialect = "sqlite" if driver == "sqlite" else "postgresql"
        self.url = parsed.set(drivername=driver)
        # Whoever writes never waits for a connection behind those who read.
        self._readers = self._connect(_READERS)
        self._writers = self._connect(_WRITERS)
        self._driver = self._writers.dialect.loaded_dbapi

    @property
    def name(self) -> str:
        """The URL as it may be shown, without its password."""
        return self.url.render_as_string(hide_password=True)

    @property
    def path(self) -> Path | None:
        """The file of a SQLite database."""
        from pathlib import Path  # noqa: PLC0415 - only commands that look at the file need it

        return Path(self.url.database) if self.dialect == "sqlite" and self.url.database else None

    def _connect(self, size: int) -> Engine:
        if self.dialect == "sqlite":
            engine = create_engine(
                self.url,
                pool_size=size,
                hide_parameters=True,  # errors are logged; what requests said is not
                pool_timeout=_POOL_SECONDS,
                connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
            )
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        try:
            return create_engine(
                self.url,
                pool_pre_ping=True,
                pool_size=size,
                hide_parameters=True,  # errors are logged; what requests said is not
                pool_timeout=_POOL_SECONDS,
                connect_args={"connect_timeout": _CONNECT_SECONDS},
            )
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise SettingsError(
                "The driver for PostgreSQL is not installed.",
                param="database_url",
                hint='Install it with: pip install "scriba[postgres]"',
            ) from error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Read from one snapshot: nothing that commits meanwhile is seen in part.

        :raises StoreUnreachable: the database does not answer
        """
        options = (
            {} if self.dialect == "sqlite" else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        )
        with (
            self._reaching(),
            self._readers.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Write in one transaction: committed at the end, rolled back by any error.

        :raises StoreUnreachable: the database does not answer, or the commit's outcome is unknown
        """
        with (
            self._reaching(),
            self._writers.connect().execution_options(scriba_write=True) as connection,
            connection.begin(),
        ):
            yield connection

    def clock(self, connection: Connection) -> int:
        """Return the database's clock in microseconds, read now and not when the transaction began."""
        if self.dialect == "sqlite":
            return time.time_ns() // 1000  # the database is this process
        return int(connection.execute(_CLOCK).scalar_one())

    def close(self) -> None:
        """Close all pooled connections."""
        self._readers.dispose()
        self._writers.dispose()

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turn every sign of an outage into one error; what is our own mistake stays what it is."""
        try:
            yield
        except PoolTimeout as error:
            raise StoreUnreachable(f"The database {self.name} has no free connection.") from error
        except (DBAPIError, self._driver.Error) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            driver = self._driver
            if isinstance(
                cause, driver.IntegrityError | driver.ProgrammingError | driver.DataError | driver.NotSupportedError
            ):
                raise
            reason = (str(cause) or type(cause).__name__).splitlines()[0]
            raise StoreUnreachable(f"The database {self.name} cannot be used: {reason}") from error


def driver_cursor(connection: Connection) -> DBAPICursor:
    """Return a cursor of the driver itself, in the connection's transaction.

    For the append alone, where the price of the toolkit around each statement is a third of the whole transaction.
    """
    return connection.connection.cursor()


_CLOCK: Final = text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # a commit that was answered survives a power cut
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA cache_size = -32768")


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("scriba_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
