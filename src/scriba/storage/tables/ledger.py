"""The logs: their heads, their newest records, and how far they were verified."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, text

from scriba.storage.tables.naming import metadata

__all__ = ["logs", "records", "verifications"]

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

_WITH_ID: Final = text("id IS NOT NULL")
_OUTCOME: Final = text("decision_seq IS NOT NULL")
_OF_A_REQUEST: Final = text("request_id IS NOT NULL")
_REFUSED: Final = text("NOT allowed")
_RETRY: Final = text("attempt > 1")
_GAP: Final = text("type = 'gap'")
_MARK: Final = text("type = 'mark'")

Index("ix_records_log_id_timestamp", records.c.log_id, records.c.timestamp)
Index("ix_records_log_id_id", records.c.log_id, records.c.id, sqlite_where=_WITH_ID, postgresql_where=_WITH_ID)
Index(
    "ix_records_log_id_decision_seq",
    records.c.log_id,
    records.c.decision_seq,
    sqlite_where=_OUTCOME,
    postgresql_where=_OUTCOME,
)
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
Index(
    "ix_records_retries",
    records.c.log_id,
    records.c.request_id,
    records.c.seq,
    sqlite_where=_RETRY,
    postgresql_where=_RETRY,
)
Index("ix_records_gaps", records.c.log_id, records.c.seq, sqlite_where=_GAP, postgresql_where=_GAP)
Index("ix_records_marks", records.c.log_id, records.c.seq, sqlite_where=_MARK, postgresql_where=_MARK)

# How far a log was verified when that was last done, and what was found. The MAC keeps others from saying so.
verifications: Final = Table(
    "verifications",
    metadata,
    Column("log_id", Integer, ForeignKey("logs.id"), primary_key=True, autoincrement=False),
    Column("verified", LargeBinary, nullable=False),
    Column("mac", LargeBinary, nullable=False),
)
