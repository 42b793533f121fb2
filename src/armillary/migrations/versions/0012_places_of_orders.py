"""Let an order keep a place in the queue of its file that its id does not tell, and say what it waits for.

`place` is that of a failed order that is tried again: before those that were accepted after it. `held` names the
database or the root that has no room; those who wait for the same thing are found by it.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

from armillary.migrations.scripts import WEB, execute, grant

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE work_order ADD COLUMN place bigint, ADD COLUMN held text;
DROP INDEX work_order_of_key;
CREATE INDEX work_order_of_key ON work_order (key, (coalesce(place, id)), id)
    WHERE state IN ('Queued', 'Started') AND key IS NOT NULL;
CREATE INDEX work_order_held ON work_order (held, id) WHERE held IS NOT NULL;
"""

DOWN = """
DROP INDEX work_order_of_key;
ALTER TABLE work_order DROP COLUMN place, DROP COLUMN held;
CREATE INDEX work_order_of_key ON work_order (key, id)
    WHERE state IN ('Queued', 'Started') AND key IS NOT NULL;
"""


def upgrade() -> None:
    """Add the columns; the web may say that an order asks for something that goes before all of its file."""
    execute(UP)
    grant(WEB, "INSERT (place)", "work_order")


def downgrade() -> None:
    """Drop the columns; what was tried again goes to the end of the queue of its file, where its id says."""
    execute(DOWN)
