"""Endpoints of webhooks, how far they have come, and what is on its way to them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, text

from scriba.storage.tables.naming import metadata

__all__ = ["webhook_cursors", "webhook_deliveries", "webhook_endpoints"]

_LIVE: Final = text("deleted_at IS NULL")
_PENDING: Final = text("status = 'pending'")

# Where events of an organisation are sent. One that was deleted stays, so that its history can be read.
webhook_endpoints: Final = Table(
    "webhook_endpoints",
    metadata,
    Column("id", Text, primary_key=True),
    Column("org_id", Text, ForeignKey("organisations.id"), nullable=False),
    Column("url", Text, nullable=False),
    Column("description", Text),
    Column("event_filters", Text, nullable=False),  # JSON list
    Column("status", Text, nullable=False),
    Column("disabled_reason", Text),
    Column("secrets", LargeBinary, nullable=False),  # encrypted: the current one and those that still sign
    Column("previous_until", BigInteger),
    Column("failure_count", Integer, nullable=False),
    # The first failure of the day that is looked at, its delivery, and since when all counts as failing.
    Column("first_failure_at", BigInteger),
    Column("first_failure_delivery", Text),
    Column("failing_since", BigInteger),
    Column("last_failure_at", BigInteger),
    Column("last_success_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("deleted_at", BigInteger),
    Index("ix_webhook_endpoints_live", "org_id", "id", sqlite_where=_LIVE, postgresql_where=_LIVE),
)

# How far the log has been turned into deliveries, for each endpoint. A log without a row here began later.
webhook_cursors: Final = Table(
    "webhook_cursors",
    metadata,
    Column("endpoint_id", Text, ForeignKey("webhook_endpoints.id"), primary_key=True),
    Column("log_id", Integer, ForeignKey("logs.id"), primary_key=True),
    Column("next_seq", BigInteger, nullable=False),
)

# One event on its way to one endpoint. `body` may hold personal data, so it goes when its time is over.
webhook_deliveries: Final = Table(
    "webhook_deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("org_id", Text, nullable=False),
    Column("endpoint_id", Text, ForeignKey("webhook_endpoints.id"), nullable=False),
    Column("log_id", Integer),  # the record that it tells of; of a replay none
    Column("seq", BigInteger),
    Column("event_id", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("occurred_at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),  # the bytes that are signed and sent
    Column("replay", Boolean, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", BigInteger),  # of the next attempt, while it is pending
    Column("lease", Text),  # of the process that is making an attempt
    Column("leased_until", BigInteger),
    Column("last_attempt_at", BigInteger),
    Column("last_duration_ms", Integer),
    Column("last_status_code", Integer),
    Column("last_error", Text),
    Column("last_answer", Text),  # its beginning
    Column("created_at", BigInteger, nullable=False),
    Index("uq_webhook_deliveries_record", "endpoint_id", "log_id", "seq", unique=True),
    Index("ix_webhook_deliveries_org_id", "org_id", "id"),
    Index("ix_webhook_deliveries_endpoint_id", "endpoint_id", "id"),
    Index("ix_webhook_deliveries_due", "endpoint_id", "next_at", sqlite_where=_PENDING, postgresql_where=_PENDING),
)
