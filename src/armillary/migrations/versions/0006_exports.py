"""Create the tables of exports to other servers.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

from armillary.migrations.scripts import execute

revision = "0006"
down_revision = "0005"
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
