"""Adds what ingest and imports remember.

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the answers to repeated requests, and the sources that were imported."""
    op.create_table(
        "idempotency_keys",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name="fk_idempotency_keys_key_id"),
        sa.PrimaryKeyConstraint("key_id", "name", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_table(
        "import_sources",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("log_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["log_id"], ["logs.id"], name="fk_import_sources_log_id"),
        sa.ForeignKeyConstraint(["org_id"], ["organisations.id"], name="fk_import_sources_org_id"),
        sa.PrimaryKeyConstraint("org_id", "sha256", name="pk_import_sources"),
    )
