"""Adds what is counted of refused access.

Revision: 0006
"""

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add it."""
