"""The SQL schema, once, for SQLite and PostgreSQL.

The migrations create exactly this; a test compares the two. Times are microseconds since 1970 in UTC.
"""

from __future__ import annotations

from scriba.storage.tables.control import api_keys, deployment, documents, organisations, policies, policy_versions
from scriba.storage.tables.ingest import idempotency_keys, import_sources
from scriba.storage.tables.ledger import logs, records, verifications
from scriba.storage.tables.naming import metadata
from scriba.storage.tables.reporting import reports
from scriba.storage.tables.retention import holds, tasks
from scriba.storage.tables.sessions import ended_sessions, login_links
from scriba.storage.tables.webhooks import webhook_cursors, webhook_deliveries, webhook_endpoints

__all__ = [
    "api_keys",
    "deployment",
    "documents",
    "ended_sessions",
    "holds",
    "idempotency_keys",
    "import_sources",
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
