"""Adds the parameters of reports, the last verification of each log, and the indexes that reports read.

Revision: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add them. The indexes hold the few records that are a gap or an attempt after the first."""
    op.create_table(
        "reports",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("checkpoints", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organisations.id"], name="fk_reports_org_id"),
        sa.PrimaryKeyConstraint("id", name="pk_reports"),
    )
    op.create_index("ix_reports_org_id", "reports", ["org_id"], unique=False)
    op.create_table(
        "verifications",
        sa.Column("log_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("verified", sa.LargeBinary(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["log_id"], ["logs.id"], name="fk_verifications_log_id"),
        sa.PrimaryKeyConstraint("log_id", name="pk_verifications"),
    )
    op.create_index(
        "ix_records_retries",
        "records",
        ["log_id", "request_id", "seq"],
        unique=False,
        sqlite_where=sa.text("attempt > 1"),
        postgresql_where=sa.text("attempt > 1"),
    )
    op.create_index(
        "ix_records_gaps",
        "records",
        ["log_id", "seq"],
        unique=False,
        sqlite_where=sa.text("type = 'gap'"),
        postgresql_where=sa.text("type = 'gap'"),
    )
