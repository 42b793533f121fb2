"""Record what changes in the archive, for those who follow it.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

from armillary.migrations.scripts import execute

revision = "0004"
down_revision = "0003"
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
