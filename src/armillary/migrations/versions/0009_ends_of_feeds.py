"""Let old changes be forgotten, and remember up to which one they are.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

from alembic import op

from armillary.migrations.scripts import WEB, WORKER, execute, grant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

CREATE = """
ALTER TABLE change ADD COLUMN noted timestamptz NOT NULL DEFAULT now();
CREATE TABLE change_horizon (
    single boolean DEFAULT true CONSTRAINT change_horizon_pk PRIMARY KEY
        CONSTRAINT change_horizon_one CHECK (single),
    generation integer NOT NULL,
    xid xid8 NOT NULL,
    id bigint NOT NULL
);
"""
DROP = """
DROP TABLE change_horizon;
ALTER TABLE change DROP COLUMN noted;
"""


def upgrade() -> None:
    """Create column and table; changes that are there already count as noted now."""
    execute(CREATE)
    grant(WORKER, "DELETE", "change")
    grant(WORKER, "SELECT, INSERT, UPDATE", "change_horizon")
    grant(WEB, "SELECT", "change_horizon")


def downgrade() -> None:
    """Drop them; what was forgotten stays forgotten."""
    op.execute(f"REVOKE DELETE ON change FROM {WORKER}")
    execute(DROP)
