"""Legal holds: while one matches records of a log, nothing of that log is purged.

A hold names logs, and a period or none. It is ended by releasing it, and stays readable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import insert, select, update

from scriba.domain.ids import mint_id
from scriba.errors import InvalidInput, NotFound
from scriba.ledger.canonical import InvalidRecord, check_text
from scriba.storage.events import Journal
from scriba.storage.marks import MARKED
from scriba.storage.model import LogName
from scriba.storage.tables import holds, records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row

    from scriba.storage.database import Database
    from scriba.storage.hot import HotLogs
    from scriba.storage.model import Actor

__all__ = ["Hold", "Holds", "holds_against"]

_MAX_NAME_BYTES: Final = 256
_MAX_REASON_BYTES: Final = 2_048
# They say where a log and a day begin, and nothing that somebody could want to be kept.
_EMPTY_TYPES: Final = ("log", "mark")
_encode: Final = msgspec.json.Encoder().encode
_decode_logs: Final = msgspec.json.Decoder(tuple[LogName, ...]).decode


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """One legal hold.

    `start` (inclusive) and `end` (exclusive) bound the time of entries, in imports that of their source; None is
    without bound. All times are microseconds since 1970. `created_by` and `released_by` are ids of keys, or `cli`.
    """

    id: str
    name: str
    reason: str
    logs: tuple[LogName, ...]
    start: int | None
    end: int | None
    created_at: int
    created_by: str
    released_at: int | None = None
    released_by: str | None = None

    @property
    def is_active(self) -> bool:
        """Whether it was not released."""
        return self.released_at is None

    def document(self) -> dict[str, object]:
        """Return the hold as the `admin` log refers to it."""
        names = {"start": "startAt", "end": "endAt", "created_at": "createdAt", "released_at": "releasedAt"}
        fields = {"id": self.id, "name": self.name, "reason": self.reason, "logs": [log.value for log in self.logs]}
        return fields | {shown: getattr(self, name) for name, shown in names.items() if getattr(self, name) is not None}


class Holds:
    """The legal holds of every organisation. Threads may share it."""

    def __init__(self, database: Database, hot: HotLogs) -> None:
        self._database = database
        self._journal = Journal(hot)

    def create(
        self,
        org_id: str,
        *,
        name: str,
        reason: str,
        actor: Actor,
        logs: Sequence[LogName] = (),
        start: int | None = None,
        end: int | None = None,
    ) -> Hold:
        """Keep what matches from being purged; it holds once this returns.

        :param logs: none for every log that is purged
        :raises InvalidInput: naming the field
        """
        _check_texts(name, reason)
        if start is not None and end is not None and end <= start:
            raise InvalidInput("endDate is not after startDate.", param="endDate")
        with self._database.write() as connection:
            now = self._database.clock(connection)
            hold = Hold(
                id=mint_id("hold", now),
                name=name,
                reason=reason,
                logs=tuple(log for log in MARKED if not logs or log in logs),
                start=start,
                end=end,
                created_at=now,
                created_by=actor.name,
            )
            # First, since whoever writes to `admin` holds its head: a purge that is under way is over then.
            self._journal.write(connection, "hold.created", hold.id, actor=actor, org_id=org_id, after=hold.document())
            connection.execute(insert(holds).values(_row(hold) | {"org_id": org_id}))
        return hold

    def release(self, org_id: str, hold_id: str, *, actor: Actor) -> Hold:
        """End a hold; nothing happens if it was released before.

        :raises NotFound: the organisation has no such hold
        """
        with self._database.write() as connection:
            now = self._database.clock(connection)
            this = (holds.c.id == hold_id) & (holds.c.org_id == org_id)
            release = update(holds).where(this, holds.c.released_at.is_(None))
            changed = connection.execute(release.values(released_at=now, released_by=actor.name)).rowcount
            hold = _find(connection, org_id, hold_id)
            if changed:
                before = msgspec.structs.replace(hold, released_at=None).document()
                after = hold.document()
                self._journal.write(
                    connection, "hold.released", hold.id, actor=actor, org_id=org_id, before=before, after=after
                )
        return hold

    def find(self, org_id: str, hold_id: str) -> Hold:
        """Return a hold, also one that was released.

        :raises NotFound: the organisation has no such hold
        """
        with self._database.read() as connection:
            return _find(connection, org_id, hold_id)

    def list(self, org_id: str, *, active: bool = False) -> list[Hold]:
        """Return the holds of an organisation, oldest first, or only those that were not released."""
        with self._database.read() as connection:
            return _of_organisation(connection, org_id, active=active)


def holds_against(
    connection: Connection, org_id: str, log: LogName, log_id: int, *, first_seq: int, before: int
) -> list[Hold]:
    """Return the active holds that match a record of a log from `first_seq` to the one before `before`."""
    candidates = (hold for hold in _of_organisation(connection, org_id, active=True) if log in hold.logs)
    return [hold for hold in candidates if _matches(connection, hold, log_id, first_seq, before)]


def _matches(connection: Connection, hold: Hold, log_id: int, first_seq: int, before: int) -> bool:
    query = select(records.c.seq).where(
        records.c.log_id == log_id,
        records.c.seq >= first_seq,
        records.c.seq < before,
        records.c.type.not_in(_EMPTY_TYPES),
    )
    if hold.start is not None:
        query = query.where(records.c.timestamp >= hold.start)
    if hold.end is not None:
        query = query.where(records.c.timestamp < hold.end)
    return connection.execute(query.limit(1)).first() is not None


def _of_organisation(connection: Connection, org_id: str, *, active: bool) -> list[Hold]:
    query = select(holds).where(holds.c.org_id == org_id)
    if active:
        query = query.where(holds.c.released_at.is_(None))
    return [_hold(row) for row in connection.execute(query.order_by(holds.c.created_at, holds.c.id))]


def _find(connection: Connection, org_id: str, hold_id: str) -> Hold:
    row = connection.execute(select(holds).where(holds.c.id == hold_id, holds.c.org_id == org_id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no hold {hold_id!r}.", param="id", hint="`scriba hold list` shows them.")
    return _hold(row)


def _hold(row: Row[Any]) -> Hold:
    return Hold(
        id=row.id,
        name=row.name,
        reason=row.reason,
        logs=_decode_logs(row.logs),
        start=row.start_at,
        end=row.end_at,
        created_at=row.created_at,
        created_by=row.created_by,
        released_at=row.released_at,
        released_by=row.released_by,
    )


def _row(hold: Hold) -> dict[str, object]:
    return {
        "id": hold.id,
        "name": hold.name,
        "reason": hold.reason,
        "logs": _encode(hold.logs).decode(),
        "start_at": hold.start,
        "end_at": hold.end,
        "created_at": hold.created_at,
        "created_by": hold.created_by,
    }


def _check_texts(name: str, reason: str) -> None:
    for field, text, limit in (("name", name, _MAX_NAME_BYTES), ("reason", reason, _MAX_REASON_BYTES)):
        if not text.strip():
            raise InvalidInput(f"A legal hold needs a {field}.", param=field)
        try:
            check_text(text, field, limit)
        except InvalidRecord as error:
            raise InvalidInput(str(error), param=error.field) from error
