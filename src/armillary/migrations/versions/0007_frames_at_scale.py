"""Index frames so that a million of them are searched in a millisecond.

No index is added: two carry more columns, which are compared inside the index before any row is fetched. So the
newest frames of a site in one filter, or of an instrument that is rarely used, cost entries of an index instead
of rows of the table. An entry of `frame_latest` grows by 12 bytes, one of `frame_latest_of_site` by 32; inserting
a row costs less than a microsecond more, which measurements of inserts hardly tell from nothing.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

from armillary.migrations.scripts import execute

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

CREATE = """
DROP INDEX frame_latest, frame_latest_of_site;
CREATE INDEX frame_latest ON frame (started_at DESC NULLS LAST, file_id DESC, instrument);
CREATE INDEX frame_latest_of_site ON frame (
    site, started_at DESC NULLS LAST, file_id DESC, filter, exposure_s
);
"""
DROP = """
DROP INDEX frame_latest, frame_latest_of_site;
CREATE INDEX frame_latest ON frame (started_at DESC NULLS LAST, file_id DESC);
CREATE INDEX frame_latest_of_site ON frame (site, started_at DESC NULLS LAST, file_id DESC);
"""


def upgrade() -> None:
    """Create them."""
    execute(CREATE)


def downgrade() -> None:
    """Create the narrow ones again."""
    execute(DROP)
