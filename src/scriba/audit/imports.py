"""History that is brought in: entries with their old ids and times, into the log `imports`.

A batch is one transaction: its header record with count, span of time and the hash of its source's bytes, then exactly
that many decisions, by time. A batch whose bytes were imported before is recognised and writes nothing, so an import
that was interrupted is simply run again. An entry without an id gets one that follows from what it says; so it is
recognised, too, in other surroundings.
"""

from __future__ import annotations

import hmac
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from sqlalchemy import delete, func, insert, select

from scriba.audit.told import Refused, ToldEntry, decision_of, moment_of
from scriba.domain.ids import derive_id
from scriba.domain.record import Decision, ImportBatch, Source
from scriba.errors import InvalidInput
from scriba.ledger.canonical import InvalidRecord
from scriba.ledger.record import validate
from scriba.storage.hot import Pending, pending
from scriba.storage.idempotency import answer_of, keep_answer
from scriba.storage.model import LogId, LogName
from scriba.storage.tables import import_sources, logs, records

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from scriba.storage.idempotency import Repeat
    from scriba.storage.store import Store

__all__ = ["MAX_ENTRIES", "Imported", "Importer"]

MAX_ENTRIES: Final = 10_000
"""Entries of one batch: the limit of its header record."""

_IDS_AT_ONCE: Final = 500
_ALIKE_BYTES: Final = 16
_PURPOSE: Final = "import"
_encode: Final = msgspec.json.Encoder().encode


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch.

    :param imported: entries that were written
    :param skipped: entries that an earlier import of the same source had written
    :param refused: entries that were not taken, and why
    """

    imported: int
    skipped: int
    refused: tuple[Refused, ...]


class _Row(NamedTuple):
    number: int
    is_told: bool  # whether the id is the source's own
    decision: Decision
    item: Pending


class _Place(NamedTuple):
    """Where an entry or a header stands."""

    log_id: int
    seq: int
    entries: int = 0


class Importer:
    """Imports entries into the logs of one store. Threads may share it. Blocks: not for the event loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._id_key = store.keyring.shared_key(_PURPOSE)

    def count(self, org_id: str) -> int:
        """Return how many entries an organisation has imported, but for those that were purged."""
        query = (
            select(func.coalesce(func.sum(import_sources.c.count), 0))
            .join(logs, logs.c.id == import_sources.c.log_id)
            .where(import_sources.c.org_id == org_id, import_sources.c.seq >= logs.c.first_seq)
        )
        with self._store.database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def import_entries(
        self,
        org_id: str,
        entries: Sequence[ToldEntry | InvalidInput],
        source_sha256: str,
        *,
        alike: Counter[bytes] | None = None,
        repeat: Repeat | None = None,
    ) -> Imported:
        """Import one batch of at most `MAX_ENTRIES` in one transaction; it is durable when this returns.

        :param entries: what the source tells, or why an entry of it could not be read
        :param source_sha256: of the bytes that the entries were read from, in hex
        :param alike: give the same, empty at first, with all batches of one source: it counts equal entries without ids
        :param repeat: what this request is told apart by from a new one
        :raises Conflict: the `Idempotency-Key` was used for another request
        :raises Unavailable: it could not be written, or nobody knows whether it was
        """
        log = LogId(org_id, LogName.IMPORTS)
        rows, refused = self._prepared(log, entries, Counter() if alike is None else alike)
        with self._store.database.write() as connection:
            if repeat is not None and (kept := answer_of(connection, repeat)) is not None:
                return msgspec.json.decode(kept, type=Imported)
            # From here on nobody else can import for this organisation.
            log_id = self._store.hot.lock(connection, [log])[log].id
            header = _find_source(connection, org_id, source_sha256)
            fresh, skipped = _sorted_out(rows, _find_ids(connection, org_id, rows), header, refused)
            if fresh:
                place = self._append(connection, log, log_id, fresh, source_sha256)
                if header is None:
                    _keep_source(connection, org_id, source_sha256, place)
            refused.sort(key=lambda one: one.index)
            imported = Imported(imported=len(fresh), skipped=skipped, refused=tuple(refused))
            if repeat is not None:
                keep_answer(connection, repeat, _encode(imported), self._store.database.clock(connection))
        return imported

    def _append(self, connection: Connection, log: LogId, log_id: int, fresh: list[_Row], source_sha256: str) -> _Place:
        fresh.sort(key=lambda row: row.item.timestamp or 0)
        header = ImportBatch(
            count=len(fresh),
            first_timestamp=fresh[0].item.timestamp or 0,
            last_timestamp=fresh[-1].item.timestamp or 0,
            source_sha256=source_sha256,
        )
        placed = self._store.hot.append(connection, [pending(log, header), *(row.item for row in fresh)])
        if placed[0] is None:
            raise AssertionError("an import depends on no revision")
        return _Place(log_id, placed[0].seq, len(fresh))

    def _prepared(
        self, log: LogId, entries: Sequence[ToldEntry | InvalidInput], alike: Counter[bytes]
    ) -> tuple[list[_Row], list[Refused]]:
        """Do all that can be done before the head of the log is locked."""
        rows: list[_Row] = []
        refused: list[Refused] = []
        for index, told in enumerate(entries):
            try:
                if isinstance(told, InvalidInput):
                    raise told
                decision = self._decision(log.org_id, told, alike)
                rows.append(_Row(index, bool(told.id), decision, pending(log, decision)))
            except InvalidInput as error:
                refused.append(Refused(index=index, param=error.param, message=str(error)))
            except InvalidRecord as error:
                refused.append(Refused(index=index, param=error.field, message=f"`{error.field}` {error.message}."))
        return rows, refused

    def _decision(self, org_id: str, told: ToldEntry, alike: Counter[bytes]) -> Decision:
        if not told.timestamp:
            raise InvalidInput("`timestamp` is missing.", param="timestamp")
        timestamp = moment_of(told.timestamp, "timestamp")
        entry_id, request_id = told.id, told.request_id
        if not entry_id or not request_id:
            digest = self._digest(org_id, told, alike)
            entry_id = entry_id or derive_id("audit", timestamp, digest)
            request_id = request_id or derive_id("req", timestamp, digest[16:])
        return _decision(org_id, told, entry_id, request_id, timestamp)

    def _digest(self, org_id: str, told: ToldEntry, alike: Counter[bytes]) -> bytes:
        """Return what ids are derived from: the entry itself, and which of several equal ones it is."""
        try:
            said = _encode(msgspec.structs.replace(told, org_id=None, log=None, seq=None, source=None, outcome=None))
        except UnicodeEncodeError:
            validate(_decision(org_id, told, "audit", "req", 0))  # it says where that character stands
            raise
        which = sha256(said).digest()[:_ALIKE_BYTES]
        alike[which] += 1
        return hmac.digest(self._id_key.reveal(), b"%b\x00%d\x00%b" % (org_id.encode(), alike[which], said), "sha256")


def _decision(org_id: str, told: ToldEntry, entry_id: str, request_id: str, timestamp: int) -> Decision:
    return decision_of(
        told,
        id=entry_id,
        org_id=org_id,
        request_id=request_id,
        source=Source.IMPORT,
        source_id=told.source_id or "",
        tags=told.tags or (),
        timestamp=timestamp,
    )


def _sorted_out(
    rows: Sequence[_Row], known: dict[str, _Place], header: _Place | None, refused: list[Refused]
) -> tuple[list[_Row], int]:
    """Return the rows that are new, and how many an earlier import of the same has written; refuse what clashes."""
    fresh, skipped = [], 0
    seen: set[str] = set()
    for row in rows:
        place = known.get(row.decision.id)
        if place is None and row.decision.id not in seen:
            seen.add(row.decision.id)
            fresh.append(row)
        elif place is not None and row.decision.id not in seen and (not row.is_told or _is_within(place, header)):
            seen.add(row.decision.id)
            skipped += 1
        else:
            message = f"`id`: the organisation has an entry {row.decision.id!r} already."
            refused.append(Refused(index=row.number, param="id", message=message))
    return fresh, skipped


def _is_within(place: _Place, header: _Place | None) -> bool:
    """Whether an entry stands in the batch with this header."""
    return header is not None and place.log_id == header.log_id and 0 < place.seq - header.seq <= header.entries


def _find_source(connection: Connection, org_id: str, source_sha256: str) -> _Place | None:
    """Return the header of the batch that these bytes were imported as, if it has not been purged."""
    found = connection.execute(
        select(import_sources.c.log_id, import_sources.c.seq, import_sources.c.count)
        .join(logs, logs.c.id == import_sources.c.log_id)
        .where(
            import_sources.c.seq >= logs.c.first_seq,
            import_sources.c.org_id == org_id,
            import_sources.c.sha256 == source_sha256,
        ),
    ).one_or_none()
    return None if found is None else _Place(*found)


def _keep_source(connection: Connection, org_id: str, source_sha256: str, place: _Place) -> None:
    """Remember where the batch of these bytes stands, in place of one that has been purged."""
    this = (import_sources.c.org_id == org_id) & (import_sources.c.sha256 == source_sha256)
    connection.execute(delete(import_sources).where(this))
    kept = {"log_id": place.log_id, "seq": place.seq, "count": place.entries}
    connection.execute(insert(import_sources).values(org_id=org_id, sha256=source_sha256, **kept))


def _find_ids(connection: Connection, org_id: str, rows: Sequence[_Row]) -> dict[str, _Place]:
    """Return where the organisation has entries with the ids of these rows, whichever log they are in."""
    names = (LogName.REQUESTS.value, LogName.IMPORTS.value)
    query = select(logs.c.id, logs.c.first_seq).where(logs.c.org_id == org_id, logs.c.log.in_(names))
    first = {row.id: row.first_seq for row in connection.execute(query)}
    found: dict[str, _Place] = {}
    for ids in _pieces([row.decision.id for row in rows]):
        of_ids = records.c.log_id.in_(first) & records.c.id.in_(ids)
        for row in connection.execute(select(records.c.id, records.c.log_id, records.c.seq).where(of_ids)):
            if row.seq >= first[row.log_id]:  # what is before was purged, though it may still be there
                found[row.id] = _Place(row.log_id, row.seq)
    return found


def _pieces(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _IDS_AT_ONCE):
        yield ids[start : start + _IDS_AT_ONCE]
