"""Create the tables of change sets: edits of many files that are one.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

from armillary.migrations.scripts import execute

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

CREATE = """
CREATE TABLE change_set (
    id bigint CONSTRAINT change_set_pk PRIMARY KEY,
    actor text NOT NULL,
    address text NOT NULL,
    why text NOT NULL,
    batch text,
    wanted text NOT NULL,
    state text NOT NULL CONSTRAINT change_set_state_known
        CHECK (state IN ('applying', 'stopping', 'stopped', 'completed', 'reverting', 'reverted')),
    reverter text,
    created timestamptz NOT NULL,
    finished timestamptz
);
CREATE TABLE change_set_file (
    change_set bigint NOT NULL CONSTRAINT change_set_file_of REFERENCES change_set,
    file_id bigint NOT NULL,
    state text NOT NULL CONSTRAINT change_set_file_state_known
        CHECK (state IN ('waiting', 'queued', 'changed', 'unchanged', 'refused', 'failed', 'reverting',
            'reverted', 'kept')),
    order_id bigint,
    edit_id bigint,
    error text,
    CONSTRAINT change_set_file_pk PRIMARY KEY (change_set, file_id)
) WITH (fillfactor = 70);
CREATE INDEX change_set_file_by_state ON change_set_file (change_set, state, file_id);
ALTER TABLE edit ADD COLUMN change_set bigint;
CREATE INDEX edit_by_change_set ON edit (change_set, finished) WHERE change_set IS NOT NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON change_set, change_set_file TO armillary_worker;
GRANT SELECT ON change_set, change_set_file TO armillary_web;
"""
DROP = """
DROP INDEX edit_by_change_set;
ALTER TABLE edit DROP COLUMN change_set;
DROP TABLE change_set_file;
DROP TABLE change_set;
"""


def upgrade() -> None:
    """Create them."""
    execute(CREATE)


def downgrade() -> None:
    """Drop them."""
    execute(DROP)
