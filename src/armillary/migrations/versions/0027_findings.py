"""Keep what the rules find in headers of versions, and which versions were checked and when.

A finding is of a version: an edit makes another one, whose headers were not checked yet.
"""

from __future__ import annotations

from armillary.migrations.scripts import WEB, WORKER, execute, grant

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

FINDINGS = """
CREATE TABLE header_check (
    version_id bigint CONSTRAINT header_check_pk PRIMARY KEY
        CONSTRAINT header_check_of_version REFERENCES version ON DELETE CASCADE,
    checked timestamptz NOT NULL
);
CREATE TABLE finding (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT finding_pk PRIMARY KEY,
    version_id bigint NOT NULL CONSTRAINT finding_of_check REFERENCES header_check ON DELETE CASCADE,
    rule text NOT NULL,
    rule_group text NOT NULL,
    severity text NOT NULL CONSTRAINT finding_severity_known CHECK (severity IN ('error', 'warning', 'note')),
    keyword text NOT NULL,
    expected json NOT NULL,
    actual json NOT NULL,
    residual double precision,
    unit text NOT NULL,
    hypothesis text,
    message text NOT NULL,
    proposal text
);
CREATE INDEX finding_of_version ON finding (version_id);
CREATE INDEX finding_by_rule ON finding (rule, id DESC);
CREATE INDEX finding_by_group ON finding (rule_group, id DESC);
"""


def upgrade() -> None:
    """Make room for findings; workers and commands write them, the web role only reads."""
    execute(FINDINGS)
    grant(WORKER, "SELECT, INSERT, UPDATE, DELETE", "header_check", "finding")
    grant(WEB, "SELECT", "header_check", "finding")


def downgrade() -> None:
    """Forget what was found."""
    execute("DROP TABLE finding, header_check;\n")
