"""What is remembered of requests that may be repeated and of sources that were imported."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, Table, Text

from scriba.storage.tables.naming import metadata

__all__ = ["idempotency_keys", "import_sources"]

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
