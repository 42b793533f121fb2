"""Let the worker read sequences, so that it can make backups without being the owner of the schema.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

from armillary.migrations.scripts import execute

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# The second statement is for the sequences of later migrations.
GRANT = """
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO armillary_worker;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON SEQUENCES TO armillary_worker;
"""
REVOKE = """
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON SEQUENCES FROM armillary_worker;
REVOKE SELECT ON ALL SEQUENCES IN SCHEMA public FROM armillary_worker;
"""


def upgrade() -> None:
    """Grant it."""
    execute(GRANT)


def downgrade() -> None:
    """Take it back."""
    execute(REVOKE)
