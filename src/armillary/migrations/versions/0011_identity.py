"""Remember which directory an archive is in, and which of its roots it may change.

Paths below that directory become relative to it when the archive is opened next: only then it is known.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

from armillary.migrations.scripts import WEB, WORKER, execute, grant

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

CREATE = """
CREATE TABLE archive_identity (
    single boolean DEFAULT true CONSTRAINT archive_identity_pk PRIMARY KEY
        CONSTRAINT archive_identity_one CHECK (single),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    path text,
    directory text,
    filesystem text,
    copied_from text,
    CONSTRAINT archive_identity_of_directory CHECK (num_nulls(path, directory, filesystem) IN (0, 3))
);
INSERT INTO archive_identity DEFAULT VALUES;
ALTER TABLE root ADD COLUMN claimed boolean NOT NULL DEFAULT true;
"""
DROP = """
UPDATE root SET path = (SELECT path FROM archive_identity) || '/' || path WHERE left(path, 1) <> '/';
ALTER TABLE root DROP COLUMN claimed;
DROP TABLE archive_identity;
"""


def upgrade() -> None:
    """Create them; where the archive is will be noted when it is opened."""
    execute(CREATE)
    grant(WORKER, "SELECT, UPDATE", "archive_identity")
    grant(WEB, "SELECT", "archive_identity")


def downgrade() -> None:
    """Drop them, and let the paths of roots be absolute again."""
    execute(DROP)
