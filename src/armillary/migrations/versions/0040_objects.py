"""Find the frames of an object by an index, the newest first, however their names are written.

Without it a search for an object that there is not looked at every frame. Names compare without case where the
interface of Gemini asks for them, so the index does.
"""

from __future__ import annotations

from armillary.migrations.scripts import execute

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    execute("CREATE INDEX frame_by_object ON frame (lower(object), started_at DESC NULLS LAST, file_id DESC)")


def downgrade() -> None:
    """Drop it."""
    execute("DROP INDEX frame_by_object")
