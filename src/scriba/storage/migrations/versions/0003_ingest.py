"""Adds what ingest and imports remember.

Revision: 0003
"""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add it."""
