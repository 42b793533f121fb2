"""Let whoever asks for a picture or movie that is lost have it made again."""

from __future__ import annotations

from armillary.migrations.scripts import execute

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

UPGRADE = "INSERT INTO work_web_kind (kind) VALUES ('image'), ('video');\n"
DOWNGRADE = """
DELETE FROM product WHERE kind IN ('image', 'thumbnail_png', 'video');
DELETE FROM work_web_kind WHERE kind IN ('image', 'video');
"""
"""Programs of before know no builder of these products; they are made again from the files."""


def upgrade() -> None:
    """Let the web role submit their orders."""
    execute(UPGRADE)


def downgrade() -> None:
    """Forget what only this revision can renew."""
    execute(DOWNGRADE)
