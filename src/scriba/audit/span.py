"""The logs that an organisation's entries stand in, as one snapshot of the database has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import bindparam, select

from scriba.domain.record import Source
from scriba.storage.model import LogName
from scriba.storage.tables import logs

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from scriba.domain.filter import Filters

__all__ = ["Span", "may_match", "read_complete_up_to", "read_spans"]

_SELECT: Final = (
    select(logs.c.id, logs.c.log, logs.c.origin, logs.c.size, logs.c.first_seq, logs.c.generation)
    # Record 0 of a log says what log it is; entries come after it.
    .where(logs.c.org_id == bindparam("org_id"), logs.c.log.in_([LogName.REQUESTS, LogName.IMPORTS]), logs.c.size > 1)
    .order_by(logs.c.log, logs.c.generation)
)
_SELECT_LAST_TIME: Final = select(logs.c.last_time).where(
    logs.c.org_id == bindparam("org_id"), logs.c.log == LogName.REQUESTS, logs.c.frozen.is_(False)
)


class Span(msgspec.Struct, frozen=True):
    """The records of one log from `first_seq` to the one before `size`. What they hold never changes.

    What is before `first_seq` was purged. Rows of it may still be there, and nobody reads them.
    """

    log_id: int
    log: str
    origin: str
    size: int
    first_seq: int = 0
    generation: int = 1


def read_spans(connection: Connection, org_id: str) -> tuple[Span, ...]:
    """Return the logs with entries of an organisation, all generations, as of the connection's snapshot."""
    return tuple(Span(*row) for row in connection.execute(_SELECT, {"org_id": org_id}))


def may_match(span: Span, filters: Filters) -> bool:
    """Whether a log holds entries of the sources that are wanted: `imports` has one source, which no other log has."""
    wanted = set(filters.sources)
    return not wanted or bool(wanted & {Source.IMPORT} if span.log == LogName.IMPORTS else wanted - {Source.IMPORT})


def read_complete_up_to(connection: Connection, org_id: str) -> int | None:
    """Return the time before which nothing can still arrive in `requests`; None if there is no such log.

    It is the time of the last record, and no later one. Log times never fall, but a transaction that this snapshot does
    not see may have taken the time for its records already.
    """
    time: int | None = connection.execute(_SELECT_LAST_TIME, {"org_id": org_id}).scalar_one_or_none()
    return time
