"""Note when a waiting order took another one over, beside the time when it was submitted first."""

from __future__ import annotations

from importlib import import_module

from alembic import op

from armillary.migrations.scripts import execute

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

_MERGE: str = import_module("armillary.migrations.versions.0014_runs_of_orders").MERGE
_COUNTED = "revision = w.revision + 1,"


def _replacing(statement: str) -> str:
    return statement.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")


def upgrade() -> None:
    """Add the column, and let what merges set it."""
    execute("ALTER TABLE work_order ADD COLUMN updated timestamptz")
    op.execute(_replacing(_MERGE.replace(_COUNTED, f"{_COUNTED} updated = now(),")))


def downgrade() -> None:
    """Drop it."""
    op.execute(_replacing(_MERGE))
    execute("ALTER TABLE work_order DROP COLUMN updated")
