"""Create the register of living workers, and index the failures that operators look at first.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

from armillary.migrations.scripts import WEB, WORKER, execute, grant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

CREATE = """
CREATE TABLE worker_process (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT worker_process_pk PRIMARY KEY,
    owners text[] NOT NULL,
    name text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    slots integer NOT NULL,
    started timestamptz NOT NULL DEFAULT now(),
    seen timestamptz NOT NULL DEFAULT now(),
    metrics text NOT NULL DEFAULT ''
);
CREATE INDEX work_order_failed ON work_order (finished DESC) WHERE state = 'Failed';
"""

DROP = """
DROP INDEX work_order_failed;
DROP TABLE worker_process;
"""


def upgrade() -> None:
    """Create them."""
    execute(CREATE)
    grant(WORKER, "SELECT, INSERT, UPDATE, DELETE", "worker_process")
    grant(WEB, "SELECT", "worker_process")


def downgrade() -> None:
    """Drop them."""
    execute(DROP)
