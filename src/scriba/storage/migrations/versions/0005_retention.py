"""Adds what was purged and what is held.

Revision: 0005
"""

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add it."""
