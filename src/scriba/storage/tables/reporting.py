"""Reports that can be computed again."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Table, Text

from scriba.storage.tables.naming import metadata

__all__ = ["reports"]

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
