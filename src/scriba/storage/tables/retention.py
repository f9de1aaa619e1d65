"""What is held back from a purge, and the work that is done once a day."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Table, Text

from scriba.storage.tables.naming import metadata

__all__ = ["holds", "tasks"]

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
