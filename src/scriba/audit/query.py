"""Questions that people ask of the log of an organisation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from scriba.audit.detail import read_detail
from scriba.audit.entry import Detail, Entry, Position, entry_of
from scriba.audit.span import read_spans
from scriba.audit.statement import From, count_statement, page_statement
from scriba.domain.filter import Filters
from scriba.domain.window import DEFAULT_LIMIT, Window
from scriba.errors import IntegrityError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from scriba.audit.span import Span
    from scriba.storage.database import Database, Dialect

__all__ = ["AuditLog", "Detail", "Entry", "Export", "Page", "Position"]

_CHUNK: Final = 1_000
_EVERYTHING: Final = Filters()


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a list; `total` counts the whole list."""

    entries: Sequence[Entry]
    total: int
    limit: int
    offset: int

    @property
    def has_more(self) -> bool:
        """Whether the list goes on after this page."""
        return self.offset + len(self.entries) < self.total


class Export(NamedTuple):
    """Every entry that matches but the first `offset`, in chunks. `total` counts them all and is known beforehand."""

    total: int
    offset: int
    chunks: Iterator[Sequence[Entry]]


class _Question(NamedTuple):
    """What is asked of which logs; they are bounded, so the answer stays the same while they grow."""

    org_id: str
    spans: Sequence[Span]
    filters: Filters
    dialect: Dialect

    def count(self, connection: Connection) -> int:
        statements = [count_statement(span, self.filters, self.dialect) for span in self.spans]
        return sum(connection.exec_driver_sql(*statement).scalar_one() for statement in statements)

    def read(self, connection: Connection, window: Window, start: From | None = None) -> Sequence[Entry]:
        if not self.spans:
            return []
        statement = page_statement(self.spans, self.filters, window, self.dialect, start)
        return [entry_of(row[:-1], org_id=self.org_id, log=row[-1]) for row in connection.exec_driver_sql(*statement)]


class AuditLog:
    """The entries in the logs `requests` and `imports`, read from one database. Threads may share it.

    Entries come newest first, by time, log and place in the log. Each answer is taken from one snapshot.
    All methods raise `StoreUnreachable` if the database does not answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, org_id: str, filters: Filters = _EVERYTHING, limit: int = DEFAULT_LIMIT, offset: int = 0) -> Page:
        """Return a part of the entries that match."""
        with self._database.read() as connection:
            question = self._question(connection, org_id, filters)
            total = question.count(connection)
            entries = question.read(connection, Window(limit, offset)) if offset < total else []
        return Page(entries=entries, total=total, limit=limit, offset=offset)

    def count(self, org_id: str, filters: Filters = _EVERYTHING) -> int:
        """Return how many entries match."""
        with self._database.read() as connection:
            return self._question(connection, org_id, filters).count(connection)

    def newest(
        self,
        org_id: str,
        after: Position | None = None,
        limit: int = DEFAULT_LIMIT,
        filters: Filters = _EVERYTHING,
    ) -> Sequence[Entry]:
        """Return the newest entries that match, if need be only those newer than a position. Counts nothing."""
        start = None if after is None else From("newer", after)
        with self._database.read() as connection:
            return self._question(connection, org_id, filters).read(connection, Window(limit), start)

    def get(self, org_id: str, entry_id: str) -> Detail:
        """Return one entry with the outcome of its upstream call and its proof status.

        :raises NotFound: the organisation has no such entry
        """
        with self._database.read() as connection:
            return read_detail(connection, org_id, entry_id)

    def export(self, org_id: str, filters: Filters = _EVERYTHING, offset: int = 0) -> Export:
        """Return every entry that matches, in constant memory.

        The logs only grow, so their sizes now bound what is exported: what arrives later is not seen, and no snapshot
        stays open while somebody downloads. The chunks raise `IntegrityError` rather than end early.
        """
        with self._database.read() as connection:
            question = self._question(connection, org_id, filters)
            total = question.count(connection)
            first = question.read(connection, Window(_CHUNK, offset))
        return Export(total, offset, self._chunks(question, first, max(total - offset, 0)))

    def _question(self, connection: Connection, org_id: str, filters: Filters) -> _Question:
        return _Question(org_id, read_spans(connection, org_id), filters, self._database.dialect)

    def _chunks(self, question: _Question, chunk: Sequence[Entry], expected: int) -> Iterator[Sequence[Entry]]:
        read = 0
        while chunk:
            yield chunk
            read += len(chunk)
            with self._database.read() as connection:
                chunk = question.read(connection, Window(_CHUNK), From("older", chunk[-1].position))
        if read != expected:
            raise IntegrityError(f"The log changed while it was read: {read} of {expected} entries are there.")
