"""Let the record of an edit that failed say the code of its error, as its order does."""

from __future__ import annotations

from armillary.migrations.scripts import execute

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of edits that failed before, the code is not known."""
    execute("ALTER TABLE edit ADD COLUMN error_code text")


def downgrade() -> None:
    """Drop the column."""
    execute("ALTER TABLE edit DROP COLUMN error_code")
