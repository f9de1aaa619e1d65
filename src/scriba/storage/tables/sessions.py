"""Signing in to the console and out again."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, LargeBinary, Table, Text

from scriba.storage.tables.naming import metadata

__all__ = ["ended_sessions", "login_links"]

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
