"""Entries that other gateways report: appended to `requests`, as told, all of a batch or none.

Id, `seq` and time are Scriba's own; the caller's `id` becomes `sourceId`, its `timestamp` `occurredAt`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import select

from scriba.audit.told import Refused, ToldEntry, decision_of, moment_of, read_entry
from scriba.domain.ids import mint_id
from scriba.domain.record import Decision, Source
from scriba.domain.timestamp import format_timestamp
from scriba.errors import Conflict, IntegrityError, InvalidInput
from scriba.ledger.canonical import InvalidRecord
from scriba.storage.hot import pending
from scriba.storage.idempotency import HEADER, answer_of, keep_answer
from scriba.storage.model import Appended, LogId, LogName
from scriba.storage.tables import logs, records

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from scriba.storage.hot import Pending
    from scriba.storage.idempotency import Repeat
    from scriba.storage.store import Store

__all__ = ["MAX_ENTRIES", "Entered", "Ingest", "Ingested", "Teller"]

MAX_ENTRIES: Final = 10_000
"""Entries of one batch."""

_TELLABLE: Final = frozenset(
    {"id", "requestId", "timestamp", "model", "provider", "policyId", "policyName", "policySlot", "allowed"}
    | {"enforcement", "violationReasons", "orgId", "apiKeyId", "ipAddress", "userAgent", "requestedProvider"}
    | {"policyVersion", "operation", "canonicalModel", "upstreamModel", "attempt", "clientRequestId"}
    | {"requestSha256", "tags", "user"},
)
_IN_THEIR_WORDS: Final = {"occurredAt": "timestamp", "sourceId": "id"}
"""Field of a record to the field of a told entry that its value came in."""


class Teller(msgspec.Struct, frozen=True):
    """Who reports: the organisation, and the tags of the API key, which every entry gets."""

    org_id: str
    tags: tuple[str, ...] = ()


class Entered(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where one entry stands now that it is durable, with the signed receipt for it."""

    id: str
    request_id: str
    log: str
    seq: int
    timestamp: str
    receipt: str


class Ingested(msgspec.Struct, frozen=True):
    """What became of a batch. Nothing is refused unless a partial batch was asked for."""

    entries: tuple[Entered, ...]
    refused: tuple[Refused, ...]


class _Written(msgspec.Struct, frozen=True):
    """A batch as it is kept for a repeat: where its entries stand, from which the answer is made again."""

    origin: str
    first: int
    count: int
    refused: tuple[Refused, ...]


class Ingest:
    """Appends told entries to the logs of one store. Threads may share it. Blocks: not for the event loop."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def write(
        self,
        teller: Teller,
        documents: Sequence[object],
        *,
        alone: bool = False,
        partial: bool = False,
        repeat: Repeat | None = None,
    ) -> Ingested:
        """Append a batch in one transaction; it is durable when this returns.

        :param documents: the JSON of each entry, or the `InvalidInput` that reading it has raised
        :param alone: whether this is one entry by itself and no batch, which errors speak of differently
        :param partial: whether to write the good entries of a batch and tell which are not
        :param repeat: what this request is told apart by from a new one
        :raises InvalidInput: naming index and field of the first bad entry
        :raises Conflict: the `Idempotency-Key` was used for another request, or for entries that were purged since
        :raises Unavailable: it could not be written, or nobody knows whether it was
        """
        log = LogId(teller.org_id, LogName.REQUESTS)
        waiting, refused = _prepared(log, teller, documents)
        if refused and not partial:
            raise refused[0].error(alone=alone)
        placed: list[Appended] = []
        with self._store.database.write() as connection:
            if repeat is not None and (kept := answer_of(connection, repeat)) is not None:
                return self._again(connection, msgspec.json.decode(kept, type=_Written))
            if waiting:
                placed = [item for item in self._store.hot.append(connection, waiting) if item is not None]
            if repeat is not None:
                first = (placed[0].origin, placed[0].seq) if placed else ("", 0)
                answer = msgspec.json.encode(_Written(*first, len(placed), tuple(refused)))
                keep_answer(connection, repeat, answer, self._store.database.clock(connection))
        self._store.hot.remember(placed[-1:])
        decisions = [item.prepared.record for item in waiting]
        entries = (
            self._entered(decision.id, decision.request_id, item)
            for decision, item in zip(decisions, placed, strict=True)
            if isinstance(decision, Decision)
        )
        return Ingested(tuple(entries), tuple(refused))

    def _again(self, connection: Connection, written: _Written) -> Ingested:
        """Make the answer for a batch that was written before.

        :raises Conflict: it was purged since
        """
        first_seq = connection.execute(select(logs.c.first_seq).where(logs.c.origin == written.origin)).scalar()
        if written.count and first_seq is not None and written.first < first_seq:
            raise Conflict(
                "A request with this Idempotency-Key was carried out before, and retention has removed its entries.",
                param=HEADER,
                hint="Take a new one to report them again.",
            )
        columns = (records.c.id, records.c.request_id, records.c.seq, records.c.log_time, records.c.leaf_hash)
        query = (
            select(*columns)
            .join(logs, logs.c.id == records.c.log_id)
            .where(logs.c.origin == written.origin)
            .where(records.c.seq >= written.first, records.c.seq < written.first + written.count)
            .order_by(records.c.seq)
        )
        entries = tuple(
            self._entered(row.id, row.request_id, Appended(written.origin, row.seq, row.log_time, bytes(row.leaf_hash)))
            for row in (connection.execute(query) if written.count else ())
        )
        if len(entries) != written.count:
            raise IntegrityError("Entries that were written before are no longer there.")
        return Ingested(entries, written.refused)

    def _entered(self, entry_id: str, request_id: str, place: Appended) -> Entered:
        keys = self._store.keyring.of(place.origin)
        return Entered(
            id=entry_id,
            request_id=request_id,
            log=LogName.REQUESTS.value,
            seq=place.seq,
            timestamp=format_timestamp(place.log_time),
            receipt=keys.sign_receipt(place.seq, place.leaf_hash, place.log_time),
        )


def _prepared(log: LogId, teller: Teller, documents: Iterable[object]) -> tuple[list[Pending], list[Refused]]:
    """Do all that can be done before the head of the log is locked."""
    waiting: list[Pending] = []
    refused: list[Refused] = []
    for index, document in enumerate(documents):
        try:
            if isinstance(document, InvalidInput):
                raise document
            waiting.append(pending(log, _decision(teller, read_entry(document, _TELLABLE))))
        except InvalidInput as error:
            refused.append(Refused(index=index, param=error.param, message=str(error)))
        except InvalidRecord as error:
            name = _IN_THEIR_WORDS.get(error.field, error.field)
            refused.append(Refused(index=index, param=name, message=f"`{name}` {error.message}."))
    return waiting, refused


def _decision(teller: Teller, told: ToldEntry) -> Decision:
    if told.org_id not in {None, teller.org_id}:
        raise InvalidInput("`orgId` must be the organisation of the API key, or left out.", param="orgId")
    tags = tuple(dict.fromkeys((*teller.tags, *(told.tags or ())))) if teller.tags else told.tags or ()
    return decision_of(
        told,
        id=mint_id("audit"),
        org_id=teller.org_id,
        request_id=told.request_id or mint_id("req"),
        source=Source.INGEST,
        source_id=told.id or "",
        tags=tags,
        occurred_at=moment_of(told.timestamp, "timestamp") if told.timestamp else None,
    )
