"""Let grants be for people by their addresses and for groups, and keep who gave, took and used them.

A grant of before is for the bearer of a token, and a token of before is bound to no address and to no group.
"""

from __future__ import annotations

from alembic import op

from armillary.migrations.scripts import WEB, WORKER, execute, grant

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

SCOPES = r"""
ALTER TABLE token DROP CONSTRAINT token_scopes_known;
ALTER TABLE token ADD CONSTRAINT token_scopes_known CHECK (array_to_string(scopes, E'\n', '?')
    ~ ('^((read|upload|ingest|edit|config|note|room|site|pipe(\.(produce|consume|admin))?|operator|admin)'
        '(:[^\n]+)?(\n|$))*$'));
"""

# Earlier releases have no name for it, and none that means as little.
SCOPES_BACK = r"""
UPDATE token SET scopes = ARRAY(
    SELECT scope FROM unnest(scopes) AS scope WHERE scope !~ '^ingest(:|$)'
);
ALTER TABLE token DROP CONSTRAINT token_scopes_known;
ALTER TABLE token ADD CONSTRAINT token_scopes_known CHECK (array_to_string(scopes, E'\n', '?')
    ~ ('^((read|upload|edit|config|note|room|site|pipe(\.(produce|consume|admin))?|operator|admin)'
        '(:[^\n]+)?(\n|$))*$'));
"""

PEOPLE = """
ALTER TABLE token ADD COLUMN emails text[] NOT NULL DEFAULT '{}';
ALTER TABLE token ADD COLUMN groups text[] NOT NULL DEFAULT '{}';
ALTER TABLE access_grant ADD COLUMN holder text NOT NULL DEFAULT 'token'
    CONSTRAINT access_grant_holder_known CHECK (holder IN ('token', 'email', 'group'));
ALTER TABLE access_grant DROP CONSTRAINT access_grant_once;
ALTER TABLE access_grant ADD CONSTRAINT access_grant_once UNIQUE (holder, principal, kind, subject);
CREATE INDEX access_grant_by_subject ON access_grant (kind, subject);
"""

# No token bears the name of an address or group because somebody else was granted something.
PEOPLE_BACK = """
DELETE FROM access_grant WHERE holder <> 'token';
DROP INDEX access_grant_by_subject;
ALTER TABLE access_grant DROP CONSTRAINT access_grant_once;
ALTER TABLE access_grant ADD CONSTRAINT access_grant_once UNIQUE (principal, kind, subject);
ALTER TABLE access_grant DROP COLUMN holder;
ALTER TABLE token DROP COLUMN groups;
ALTER TABLE token DROP COLUMN emails;
"""

AUDIT = """
CREATE TABLE grant_change (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT grant_change_pk PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL CONSTRAINT grant_change_action_known CHECK (action IN ('given', 'taken')),
    holder text NOT NULL
        CONSTRAINT grant_change_holder_known CHECK (holder IN ('token', 'email', 'group')),
    principal text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    level text,
    origin text NOT NULL
);
CREATE INDEX grant_change_by_time ON grant_change (at);
CREATE INDEX grant_change_by_subject ON grant_change (subject, id);
CREATE TABLE embargoed_read (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT embargoed_read_pk PRIMARY KEY,
    at timestamptz NOT NULL,
    viewer text NOT NULL,
    reason text NOT NULL,
    file_id bigint NOT NULL,
    version_id bigint NOT NULL,
    name text NOT NULL,
    first_byte bigint NOT NULL,
    bytes bigint
);
CREATE INDEX embargoed_read_by_time ON embargoed_read (at);
CREATE INDEX embargoed_read_by_file ON embargoed_read (file_id, id);
"""

# Few of many frames are still to be released, and a calendar is about these.
RELEASES = "CREATE INDEX frame_by_release ON frame (release) WHERE release IS NOT NULL"

# Whoever writes an audit must not be able to take from it what is recent: only this function removes anything.
FORGET = """
CREATE FUNCTION grant_audit_forget(before timestamptz, portion integer) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    cut CONSTANT timestamptz := least(before, now() - interval '30 days');
    changes bigint;
    reads bigint;
BEGIN
    DELETE FROM public.grant_change WHERE id IN (
        SELECT id FROM public.grant_change WHERE at < cut ORDER BY at LIMIT portion);
    GET DIAGNOSTICS changes = ROW_COUNT;
    DELETE FROM public.embargoed_read WHERE id IN (
        SELECT id FROM public.embargoed_read WHERE at < cut ORDER BY at LIMIT portion);
    GET DIAGNOSTICS reads = ROW_COUNT;
    RETURN changes + reads;
END $$
"""


def upgrade() -> None:
    """Add the scope, the holders of grants, and the audit, to which the roles of the program only add."""
    execute(SCOPES)
    execute(PEOPLE)
    execute(AUDIT)
    op.execute(RELEASES)
    op.execute(FORGET)
    op.execute("REVOKE EXECUTE ON FUNCTION grant_audit_forget FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION grant_audit_forget TO {WORKER}")
    grant(WORKER, "SELECT, INSERT", "grant_change", "embargoed_read")
    grant(WEB, "SELECT", "grant_change", "embargoed_read")
    grant(WEB, "INSERT", "embargoed_read")


def downgrade() -> None:
    """Forget the audit, grants to people and groups, and what tokens are bound to."""
    op.execute("DROP INDEX frame_by_release")
    op.execute("DROP FUNCTION grant_audit_forget")
    op.execute("DROP TABLE embargoed_read, grant_change")
    execute(PEOPLE_BACK)
    execute(SCOPES_BACK)
