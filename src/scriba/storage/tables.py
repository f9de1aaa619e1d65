"""The SQL schema, once, for SQLite and PostgreSQL.

The migrations create exactly this; a test compares the two. Times are microseconds since 1970 in UTC.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

__all__ = [
    "api_keys",
    "deployment",
    "documents",
    "ended_sessions",
    "holds",
    "login_links",
    "logs",
    "metadata",
    "organisations",
    "policies",
    "policy_versions",
    "records",
    "reports",
    "tasks",
    "verifications",
    "webhook_cursors",
    "webhook_deliveries",
    "webhook_endpoints",
]

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    },
)

deployment: Final = Table(
    "deployment",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    # Grows with every change of the control tables; each changed row carries the number of its change.
    Column("revision", BigInteger, nullable=False),
)

organisations: Final = Table(
    "organisations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("tier", Text, nullable=False),
    Column("retention_days", Integer),
    Column("created_at", BigInteger, nullable=False),
    # Of the last change of the organisation, its keys or its policies: what an append compares.
    Column("revision", BigInteger, nullable=False, index=True),
)

api_keys: Final = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("org_id", Text, ForeignKey("organisations.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False, unique=True),
    Column("last4", Text, nullable=False),
    Column("policy_slot", Integer),
    Column("allowed_slots", Text, nullable=False),
    Column("tags", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("revision", BigInteger, nullable=False, index=True),
)

policies: Final = Table(
    "policies",
    metadata,
    Column("id", Text, primary_key=True),
    Column("org_id", Text, ForeignKey("organisations.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("tag_slot", Integer),
    Column("is_default", Boolean, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("rules", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("deleted_at", BigInteger),
    Column("revision", BigInteger, nullable=False, index=True),
)

_ONE_SLOT: Final = text("is_active AND deleted_at IS NULL AND tag_slot IS NOT NULL")
_ONE_DEFAULT: Final = text("is_active AND deleted_at IS NULL AND is_default")
Index(
    "uq_policies_active_slot",
    policies.c.org_id,
    policies.c.tag_slot,
    unique=True,
    sqlite_where=_ONE_SLOT,
    postgresql_where=_ONE_SLOT,
)
Index(
    "uq_policies_active_default",
    policies.c.org_id,
    unique=True,
    sqlite_where=_ONE_DEFAULT,
    postgresql_where=_ONE_DEFAULT,
)

policy_versions: Final = Table(
    "policy_versions",
    metadata,
    Column("policy_id", Text, ForeignKey("policies.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

# What a record names by hash: policies, catalogues. Never changed, never deleted.
documents: Final = Table(
    "documents",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

login_links: Final = Table(
    "login_links",
    metadata,
    Column("sha256", LargeBinary, primary_key=True),
    Column("key_id", Text, ForeignKey("api_keys.id"), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

# Sessions of the console that were signed out before their time. A session that is not here is told by its cookie.
ended_sessions: Final = Table(
    "ended_sessions",
    metadata,
    Column("sha256", LargeBinary, primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
)

_OPEN: Final = text("NOT frozen")

# The head of every log: what an append locks, checks and renews.
logs: Final = Table(
    "logs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("org_id", Text, nullable=False),  # empty for the deployment's own log
    Column("log", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("origin", Text, nullable=False, unique=True),
    Column("frozen", Boolean, nullable=False),  # an earlier generation: readable, never appended to
    Column("size", BigInteger, nullable=False),
    Column("last_time", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),  # 32 bytes each, left to right
    Column("seal", LargeBinary, nullable=False),
    # Size of the newest checkpoint in the guard: from the first one on, a missing checkpoint is a finding.
    Column("signed_size", BigInteger, nullable=False),
    # What is before it was purged: whoever reads takes such rows for gone, also while they are being deleted.
    Column("first_seq", BigInteger, nullable=False, server_default=text("0")),
    Column("first_frontier", LargeBinary),  # of the tree at `first_seq`; NULL if nothing was purged
    Index("uq_logs_open", "org_id", "log", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
)

# The newest records of every log, one row each. The canonical bytes are rebuilt from the row.
records: Final = Table(
    "records",
    metadata,
    Column("log_id", Integer, ForeignKey("logs.id"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("log_time", BigInteger, nullable=False),
    # What filters, reports and the order of lists go by: the log time, but in `imports` the source's claim.
    Column("timestamp", BigInteger, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("type", Text, nullable=False),
    Column("salt", LargeBinary),
    Column("openings", Text),  # after an erasure: {"commitments": {…}, "fieldKeys": {…}}
    Column("detail", Text),  # the types that are not decisions, as JSON
    Column("decision_seq", BigInteger),  # of an outcome
    Column("id", Text),  # of decisions and events
    Column("request_id", Text),
    Column("model", Text),
    Column("canonical_model", Text),
    Column("upstream_model", Text),
    Column("operation", Text),
    Column("provider", Text),
    Column("requested_provider", Text),
    Column("policy_id", Text),
    Column("policy_name", Text),
    Column("policy_slot", Integer),
    Column("policy_version", Integer),
    Column("policy_sha256", Text),
    Column("catalogue_sha256", Text),
    Column("allowed", Boolean),
    Column("enforcement", Text),
    Column("violation_reasons", Text),  # JSON list, never NULL for a decision
    Column("violation_codes", Text),
    Column("source", Text),
    Column("attempt", Integer),
    Column("retry_count", Integer),
    Column("occurred_at", BigInteger),
    Column("actor", Text),
    Column("api_key_id", Text),
    Column("client_request_id", Text),
    Column("ip_address", Text),
    Column("request_sha256", Text),
    Column("source_id", Text),
    Column("tags", Text),  # JSON list
    Column("user_name", Text),
    Column("user_agent", Text),
    Column("ip_bytes", LargeBinary),  # the address as `domain.address` has it, for ranges; erased with it
    sqlite_with_rowid=False,
)

_MARK: Final = text("type = 'mark'")
Index("ix_records_marks", records.c.log_id, records.c.seq, sqlite_where=_MARK, postgresql_where=_MARK)

_WITH_ID: Final = text("id IS NOT NULL")
_OUTCOME: Final = text("decision_seq IS NOT NULL")
_OF_A_REQUEST: Final = text("request_id IS NOT NULL")
_REFUSED: Final = text("NOT allowed")
Index("ix_records_log_id_timestamp", records.c.log_id, records.c.timestamp)
Index("ix_records_log_id_id", records.c.log_id, records.c.id, sqlite_where=_WITH_ID, postgresql_where=_WITH_ID)
Index(
    "ix_records_log_id_decision_seq",
    records.c.log_id,
    records.c.decision_seq,
    sqlite_where=_OUTCOME,
    postgresql_where=_OUTCOME,
)

# Legal holds: what they match is not purged. A hold that was released stays.
holds: Final = Table(
    "holds",
    metadata,
    Column("id", Text, primary_key=True),
    Column("org_id", Text, ForeignKey("organisations.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("logs", Text, nullable=False),  # JSON list of names
    Column("start_at", BigInteger),  # NULL: from the beginning
    Column("end_at", BigInteger),  # exclusive; NULL: without end
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("released_at", BigInteger),
    Column("released_by", Text),
)

# Work that is done once a day by one process at a time, whichever comes first.
tasks: Final = Table(
    "tasks",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text),
    Column("held_until", BigInteger, nullable=False),
    Column("done_at", BigInteger, nullable=False),
)

# Answers to requests with an `Idempotency-Key`, encrypted; without one the request is being carried out.
idempotency_keys: Final = Table(
    "idempotency_keys",
    metadata,
    Column("key_id", Text, ForeignKey("api_keys.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("content_sha256", LargeBinary, nullable=False),
    Column("answer", LargeBinary),
    Column("created_at", BigInteger, nullable=False, index=True),
)

# Where the batch of a source's bytes stands. What retention has purged since may be imported again.
import_sources: Final = Table(
    "import_sources",
    metadata,
    Column("org_id", Text, ForeignKey("organisations.id"), primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("log_id", Integer, ForeignKey("logs.id"), nullable=False),
    Column("seq", BigInteger, nullable=False),  # of its header
    Column("count", Integer, nullable=False),
)

# What a report was asked, and how far the logs had come: enough to compute it again.
reports: Final = Table(
    "reports",
    metadata,
    Column("id", Text, primary_key=True),
    Column("org_id", Text, ForeignKey("organisations.id"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("question", Text, nullable=False),
    Column("checkpoints", Text, nullable=False),  # JSON: signed notes and sizes, by the id of the log
)

# How far a log was verified when that was last done, and what was found. The MAC keeps others from saying so.
verifications: Final = Table(
    "verifications",
    metadata,
    Column("log_id", Integer, ForeignKey("logs.id"), primary_key=True, autoincrement=False),
    Column("verified", LargeBinary, nullable=False),
    Column("mac", LargeBinary, nullable=False),
)

_RETRY: Final = text("attempt > 1")
_GAP: Final = text("type = 'gap'")
Index(
    "ix_records_retries",
    records.c.log_id,
    records.c.request_id,
    records.c.seq,
    sqlite_where=_RETRY,
    postgresql_where=_RETRY,
)
Index("ix_records_gaps", records.c.log_id, records.c.seq, sqlite_where=_GAP, postgresql_where=_GAP)
Index(
    "ix_records_request_id",
    records.c.request_id,
    sqlite_where=_OF_A_REQUEST,
    postgresql_where=_OF_A_REQUEST,
)
# What people look for most is rare; only what was refused pays for this one.
Index(
    "ix_records_refused",
    records.c.log_id,
    records.c.timestamp,
    sqlite_where=_REFUSED,
    postgresql_where=_REFUSED,
)

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
