"""Questions that people ask of the log of an organisation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from scriba.audit.cursor import decode_cursor, encode_cursor
from scriba.audit.detail import read_detail
from scriba.audit.entry import Detail, Entry, Position, entry_of
from scriba.audit.outcome import read_outcomes
from scriba.audit.span import may_match, read_complete_up_to, read_spans
from scriba.audit.statement import From, count_statement, page_statement
from scriba.audit.tail import read_after, read_ends
from scriba.domain.filter import Filters
from scriba.domain.record import Source
from scriba.domain.window import DEFAULT_LIMIT, Window
from scriba.errors import IntegrityError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from scriba.audit.span import Span
    from scriba.audit.tail import Heard, Places
    from scriba.domain.window import Order
    from scriba.storage.database import Database, Dialect

__all__ = ["AuditLog", "Detail", "Entry", "Export", "Page", "Position"]

_CHUNK: Final = 1_000
_EVERYTHING: Final = Filters()


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a list; `total` counts the whole list.

    `next_cursor` is where the list goes on, None at its end. Before `complete_up_to` (microseconds since 1970) no entry
    can arrive any more; None if imports could match, whose times are anybody's claim.
    """

    entries: Sequence[Entry]
    total: int
    limit: int
    offset: int
    next_cursor: str | None
    complete_up_to: int | None

    @property
    def has_more(self) -> bool:
        """Whether the list goes on after this page."""
        return self.next_cursor is not None


class Export(NamedTuple):
    """Every entry that matches but the first `offset`, in chunks. `total` counts them all and is known beforehand."""

    total: int
    offset: int
    chunks: Iterator[Sequence[Entry]]
    complete_up_to: int | None = None


class _Question(NamedTuple):
    """What is asked of which logs; they are bounded, so the answer stays the same while they grow."""

    org_id: str
    spans: Sequence[Span]
    filters: Filters
    dialect: Dialect
    order: Order = "desc"
    with_outcomes: bool = False

    def count(self, connection: Connection) -> int:
        statements = [count_statement(span, self.filters, self.dialect) for span in self.spans]
        return sum(connection.exec_driver_sql(*statement).scalar_one() for statement in statements)

    def read(self, connection: Connection, window: Window, start: From | None = None) -> Sequence[Entry]:
        if not self.spans:
            return []
        statement = page_statement(self.spans, self.filters, window, self.dialect, start, order=self.order)
        rows = connection.exec_driver_sql(*statement).all()
        entries = [entry_of(row[:-1], org_id=self.org_id, log=self.spans[row[-1]].log) for row in rows]
        return self._joined(connection, entries, [row[-1] for row in rows]) if self.with_outcomes else entries

    def after(self, position: Position) -> From:
        """Return where the list goes on behind an entry."""
        return From("older" if self.order == "desc" else "newer", position)

    def complete_up_to(self, connection: Connection) -> int | None:
        if not self.filters.sources or Source.IMPORT in self.filters.sources:
            return None
        return read_complete_up_to(connection, self.org_id)

    def _joined(self, connection: Connection, entries: Sequence[Entry], numbers: Sequence[int]) -> Sequence[Entry]:
        """Add the outcomes: one question for each log, whatever the number of entries."""
        found = {}
        for number in set(numbers):
            seqs = [entry.seq for entry, its in zip(entries, numbers, strict=True) if its == number]
            found[number] = read_outcomes(connection, self.spans[number], seqs)
        return [
            msgspec.structs.replace(entry, outcome=found[number].get(entry.seq))
            for entry, number in zip(entries, numbers, strict=True)
        ]


class AuditLog:
    """The entries in the logs `requests` and `imports`, read from one database. Threads may share it.

    Entries come newest first if nothing else is said, by time, log and place in the log. Each answer is taken from one
    snapshot. All methods raise `StoreUnreachable` if the database does not answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(
        self,
        org_id: str,
        filters: Filters = _EVERYTHING,
        limit: int = DEFAULT_LIMIT,
        offset: int = 0,
        *,
        order: Order = "desc",
        cursor: str | None = None,
        with_outcomes: bool = False,
    ) -> Page:
        """Return a part of the entries that match.

        :param cursor: where the list goes on, of an earlier page with the same filters and order
        :raises InvalidInput: the cursor is of no such page
        """
        position = None if cursor is None else decode_cursor(cursor, filters, order)
        with self._database.read() as connection:
            question = self._question(connection, org_id, filters, order, with_outcomes=with_outcomes)
            total = question.count(connection)
            start = None if position is None else question.after(position)
            # One entry more tells whether there are more.
            window = Window(limit + 1, offset)
            entries = question.read(connection, window, start) if offset < total else []
            complete_up_to = question.complete_up_to(connection)
        page = entries[:limit]
        more = encode_cursor(page[-1].position, filters, order) if len(entries) > limit else None
        return Page(
            entries=page,
            total=total,
            limit=limit,
            offset=offset,
            next_cursor=more,
            complete_up_to=complete_up_to,
        )

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

    def ends(self, org_id: str) -> Places:
        """Return the places after all that has been logged: where somebody begins who wants what comes now."""
        with self._database.read() as connection:
            return read_ends(connection, org_id)

    def after(
        self, org_id: str, places: Places, filters: Filters = _EVERYTHING, *, limit: int = DEFAULT_LIMIT
    ) -> Heard:
        """Return the entries after some places that match, in the order in which they were logged.

        :raises InvalidInput: a place is beyond the end of its log
        """
        with self._database.read() as connection:
            return read_after(connection, self._database.dialect, org_id, places, filters, limit=limit)

    def get(self, org_id: str, entry_id: str) -> Detail:
        """Return one entry with the outcome of its upstream call and its proof status.

        :raises NotFound: the organisation has no such entry
        """
        with self._database.read() as connection:
            return read_detail(connection, org_id, entry_id)

    def export(
        self,
        org_id: str,
        filters: Filters = _EVERYTHING,
        offset: int = 0,
        *,
        order: Order = "desc",
        with_outcomes: bool = False,
    ) -> Export:
        """Return every entry that matches, in constant memory.

        The logs only grow, so their sizes now bound what is exported: what arrives later is not seen, and no snapshot
        stays open while somebody downloads. The chunks raise `IntegrityError` rather than end early.
        """
        with self._database.read() as connection:
            question = self._question(connection, org_id, filters, order, with_outcomes=with_outcomes)
            total = question.count(connection)
            first = question.read(connection, Window(_CHUNK, offset))
            complete_up_to = question.complete_up_to(connection)
        return Export(total, offset, self._chunks(question, first, max(total - offset, 0)), complete_up_to)

    def _question(
        self,
        connection: Connection,
        org_id: str,
        filters: Filters,
        order: Order = "desc",
        *,
        with_outcomes: bool = False,
    ) -> _Question:
        spans = tuple(span for span in read_spans(connection, org_id) if may_match(span, filters))
        return _Question(org_id, spans, filters, self._database.dialect, order, with_outcomes)

    def _chunks(self, question: _Question, chunk: Sequence[Entry], expected: int) -> Iterator[Sequence[Entry]]:
        read = 0
        while chunk:
            yield chunk
            read += len(chunk)
            with self._database.read() as connection:
                chunk = question.read(connection, Window(_CHUNK), question.after(chunk[-1].position))
        if read != expected:
            raise IntegrityError(f"The log changed while it was read: {read} of {expected} entries are there.")
