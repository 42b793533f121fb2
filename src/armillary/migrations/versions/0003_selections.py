"""Index what lists of files are selected by: observations, nights, times of entry and of modification.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

from alembic import op

from armillary.migrations.scripts import execute

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INDEXES = """
CREATE INDEX frame_by_observation ON frame (observation_id) WHERE observation_id IS NOT NULL;
CREATE INDEX frame_by_night ON frame (night) WHERE night IS NOT NULL;
CREATE INDEX version_by_entrytime ON version (entrytime);
CREATE INDEX version_by_lastmod ON version (lastmod);
"""


def upgrade() -> None:
    """Create the indexes."""
    execute(INDEXES)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP INDEX frame_by_observation, frame_by_night, version_by_entrytime, version_by_lastmod")
