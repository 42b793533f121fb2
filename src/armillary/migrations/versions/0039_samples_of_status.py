"""Keep how the archive stood, minute by minute, for curves of the last hours and days."""

from __future__ import annotations

from armillary.migrations.scripts import WEB, WORKER, execute, grant

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

# `events` is the last number of the feed: its difference to the next sample is what happened between.
TABLE = """
CREATE TABLE status_sample (
    at timestamptz CONSTRAINT status_sample_pk PRIMARY KEY,
    workers integer NOT NULL,
    waiting integer NOT NULL,
    started integer NOT NULL,
    held integer NOT NULL,
    failed integer NOT NULL,
    oldest_waiting_s double precision,
    database_bytes bigint NOT NULL,
    events bigint NOT NULL,
    disks jsonb NOT NULL
);
"""


def upgrade() -> None:
    """Make room for samples; the one worker that does the chores takes them."""
    execute(TABLE)
    grant(WORKER, "SELECT, INSERT, DELETE", "status_sample")
    grant(WEB, "SELECT", "status_sample")


def downgrade() -> None:
    """Forget them."""
    execute("DROP TABLE status_sample;\n")
