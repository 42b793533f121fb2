"""Keep which raw files wait for the header of their image, and which revision was merged into each last."""

from __future__ import annotations

from armillary.migrations.scripts import WEB, WORKER, execute, grant

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

MERGES = """
CREATE TABLE header_merge (
    file bigint CONSTRAINT header_merge_pk PRIMARY KEY
        CONSTRAINT header_merge_of_file REFERENCES file ON DELETE CASCADE,
    instrument text NOT NULL,
    image_id text NOT NULL,
    detector text NOT NULL,
    revision integer,
    merged timestamptz,
    conflicts json NOT NULL DEFAULT '[]',
    noted timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX header_merge_of_image ON header_merge (instrument, image_id);
"""


def upgrade() -> None:
    """Make room for merges: services note them, the web process tells of them."""
    execute(MERGES)
    grant(WORKER, "SELECT, INSERT, UPDATE, DELETE", "header_merge")
    grant(WEB, "SELECT", "header_merge")


def downgrade() -> None:
    """Forget what was merged into which file; the files keep their cards."""
    execute("DROP TABLE header_merge")
