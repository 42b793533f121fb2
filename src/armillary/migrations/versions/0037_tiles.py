"""Let the web process ask for the tiles of a file that somebody looks at."""

from __future__ import annotations

from armillary.migrations.scripts import execute

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the kind."""
    execute("INSERT INTO work_web_kind (kind) VALUES ('tiles')")


def downgrade() -> None:
    """Take it away."""
    execute("DELETE FROM work_web_kind WHERE kind = 'tiles'")
