"""Create the tables of change sets: edits of many files that are one.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

from armillary.migrations.scripts import execute

revision = "0005"
down_revision = "0004"
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
