"""What is kept of an organisation's entries, and for how long: the answer to whoever asks about retention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import select

from scriba.audit.span import read_spans
from scriba.domain.timestamp import format_timestamp
from scriba.storage.control_rows import organisation_of
from scriba.storage.model import TIERS, LogName
from scriba.storage.tables import organisations, records

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from scriba.audit.span import Span
    from scriba.storage.holds import Hold

__all__ = ["ADVICE", "LEAST_DAYS", "HoldDocument", "Kept", "KeptLog", "hold_document", "read_kept", "shortness"]

LEAST_DAYS: Final = 183
"""Days below which people are told of Article 26(6) of the EU AI Act (Regulation 2024/1689): six months."""
ADVICE: Final = (
    "Article 26(6) of the EU AI Act asks deployers of high-risk AI systems to keep their logs for at least six months "
    f"({LEAST_DAYS} days)."
)


class KeptLog(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One log: what is before `first_seq` was purged; `oldest` is the time of the oldest entry left."""

    log: str
    first_seq: int
    records: int
    oldest: str | None = None


class HoldDocument(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A legal hold. `startDate` is inclusive, `endDate` exclusive; without them it has no bounds."""

    id: str
    name: str
    reason: str
    logs: tuple[LogName, ...]
    start_date: str | None = None
    end_date: str | None = None
    status: str
    created_at: str
    created_by: str
    released_at: str | None = None
    released_by: str | None = None


class Kept(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How long entries are kept. `retentionDays` is the organisation's own number, null if the tier's counts.

    `effectiveDays` is what counts. `notice` says what short retention means, and is null for a long one.
    """

    tier: str
    retention_days: int | None
    effective_days: int
    tier_days: int
    notice: str | None
    logs: tuple[KeptLog, ...]
    holds: tuple[HoldDocument, ...] = ()
    archive_before_purge: bool = False
    next_purge_at: str = ""


def shortness(days: int) -> str | None:
    """Return what people should know about a retention; None if it is long enough for all we know."""
    if days >= LEAST_DAYS:
        return None
    return f"Entries are kept for {days} days. {ADVICE}"


def read_kept(connection: Connection, org_id: str) -> Kept:
    """Return what is kept, as of one snapshot; holds and plans are not in it yet."""
    row = connection.execute(select(organisations).where(organisations.c.id == org_id)).one()
    organisation = organisation_of(row)
    return Kept(
        tier=organisation.tier,
        retention_days=organisation.retention_days,
        effective_days=organisation.retention,
        tier_days=TIERS[organisation.tier],
        notice=shortness(organisation.retention),
        logs=tuple(_kept_log(connection, span) for span in read_spans(connection, org_id)),
    )


def hold_document(hold: Hold) -> HoldDocument:
    """Return a hold as the API shows it."""
    return HoldDocument(
        id=hold.id,
        name=hold.name,
        reason=hold.reason,
        logs=hold.logs,
        start_date=None if hold.start is None else format_timestamp(hold.start),
        end_date=None if hold.end is None else format_timestamp(hold.end),
        status="active" if hold.is_active else "released",
        created_at=format_timestamp(hold.created_at),
        created_by=hold.created_by,
        released_at=None if hold.released_at is None else format_timestamp(hold.released_at),
        released_by=hold.released_by,
    )


def _kept_log(connection: Connection, span: Span) -> KeptLog:
    query = select(records.c.log_time).where(
        records.c.log_id == span.log_id, records.c.seq >= span.first_seq, records.c.type == "decision"
    )
    oldest = connection.execute(query.order_by(records.c.seq).limit(1)).scalar_one_or_none()
    return KeptLog(
        log=span.log,
        first_seq=span.first_seq,
        records=span.size - span.first_seq,
        oldest=None if oldest is None else format_timestamp(oldest),
    )
