"""Adds endpoints of webhooks and their deliveries.

Revision: 0004
"""

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add it."""
