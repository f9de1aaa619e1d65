"""Organisations, their keys and policies, and the documents that records name by hash."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, text

from scriba.storage.tables.naming import metadata

__all__ = ["api_keys", "deployment", "documents", "organisations", "policies", "policy_versions"]

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
