"""Keep copies of the vocabularies in whose words cubes are tagged, for the time when their source is away."""

from __future__ import annotations

from armillary.migrations.scripts import WEB, WORKER, execute, grant

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

# Without terms as long as the source could not be read: then it is known when that was tried, and why not.
TABLE = """
CREATE TABLE vocabulary (
    name text NOT NULL CONSTRAINT vocabulary_pk PRIMARY KEY,
    source text NOT NULL,
    terms text[],
    digest text,
    etag text,
    modified text,
    fetched timestamptz,
    checked timestamptz NOT NULL,
    error text,
    CONSTRAINT vocabulary_whole CHECK ((terms IS NULL) = (digest IS NULL) AND (terms IS NULL) = (fetched IS NULL))
);
"""


def upgrade() -> None:
    """Add the table."""
    execute(TABLE)
    grant(WORKER, "SELECT, INSERT, UPDATE, DELETE", "vocabulary")
    grant(WEB, "SELECT", "vocabulary")


def downgrade() -> None:
    """Forget the copies; they are read again."""
    execute("DROP TABLE vocabulary;")
