"""Index the exposures of more than an hour, which are few, so that the longest one is known at once.

A search for the frames that were exposed during an interval begins that long before it, in the order of time,
instead of at the first frame. The index has an entry only for each of the few.

Revision ID: 0018
Revises: 0017
"""

from __future__ import annotations

from armillary.migrations.scripts import execute

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create it."""
    execute("CREATE INDEX frame_by_long_exposure ON frame (exposure_s) WHERE exposure_s > 3600")


def downgrade() -> None:
    """Drop it."""
    execute("DROP INDEX frame_by_long_exposure")
