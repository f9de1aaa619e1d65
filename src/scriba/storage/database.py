"""One SQL database, SQLite or PostgreSQL, as transactions.

Whoever writes says so when the transaction begins, because the two databases differ there: SQLite
takes its one write lock at once (`BEGIN IMMEDIATE`), so that no reader is upgraded half way and told
"database is locked"; PostgreSQL locks the rows that are asked for.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from scriba.errors import SettingsError, StoreUnreachable
from scriba.storage.engines import WRITE, postgresql_engine, sqlite_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPICursor

__all__ = ["PATIENCE_SECONDS", "Database", "Dialect", "driver_cursor"]

Dialect = Literal["sqlite", "postgresql"]

PATIENCE_SECONDS: Final = 5.0
"""How long a writer waits for somebody else's transaction."""

_DRIVERS: Final = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgresql+psycopg": "postgresql+psycopg"}
_PASSWORDS: Final = ("password", "sslpassword")
_READERS: Final = 10
_WRITERS: Final = 3
# In KiB. The system keeps a file that is read in memory anyway, once for all; a batch must fit in before it is written.
_READER_CACHE: Final = 8 * 1024
_WRITER_CACHE: Final = 32 * 1024


class Database:
    """The SQL database behind a URL.

    :param url: `sqlite:///path` or `postgresql://…`
    :raises SettingsError: the URL is malformed or names another kind of database
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
            driver = _DRIVERS[parsed.drivername]
        except (ArgumentError, KeyError, ValueError) as error:
            raise SettingsError(
                "The setting `database_url` is not a database URL that Scriba knows.",
                param="database_url",
                hint="Use sqlite:///path/to/scriba.db or postgresql://user@host/name.",
            ) from error
        if driver == "sqlite" and parsed.database in {None, "", ":memory:"}:
            raise SettingsError(
                "A database in memory would forget the log.",
                param="database_url",
                hint="Name a file: sqlite:///path/to/scriba.db.",
            )
        self.dialect: Dialect = "sqlite" if driver == "sqlite" else "postgresql"
        self.url = parsed.set(drivername=driver)
        # Whoever writes never waits for a connection behind those who read.
        self._readers = self._connect(_READERS, _READER_CACHE)
        self._writers = self._connect(_WRITERS, _WRITER_CACHE)
        self._driver = self._writers.dialect.loaded_dbapi
        self._turn = threading.Lock()

    @property
    def name(self) -> str:
        """The URL as it may be shown, without its passwords."""
        return self.url.difference_update_query(_PASSWORDS).render_as_string(hide_password=True)

    @property
    def path(self) -> Path | None:
        """The file of a SQLite database."""
        return Path(self.url.database) if self.dialect == "sqlite" and self.url.database else None

    def _connect(self, size: int, cache: int) -> Engine:
        if self.dialect == "sqlite":
            return sqlite_engine(self.url, size, PATIENCE_SECONDS, cache)
        return postgresql_engine(self.url, size, PATIENCE_SECONDS)

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
            self._own_turn(),
            self._writers.connect().execution_options(**{WRITE: True}) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def _own_turn(self) -> Iterator[None]:
        """Have the writers of this process to SQLite wait for each other here, where the next one goes on at once.

        SQLite itself has whoever waits look again every so often, and late if it has waited for long.
        """
        if self.dialect != "sqlite":
            yield
            return
        if not self._turn.acquire(timeout=PATIENCE_SECONDS):
            raise StoreUnreachable(f"The database {self.name} cannot be used: database is locked")
        try:
            yield
        finally:
            self._turn.release()

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
