"""Let a scope of a token name the resource that it is limited to, and tell processes what changes about tokens.

A root says what strangers are told of its files, and its frames say it, too: nothing of what was before, which
means that metadata are told. So no row of a frame is written.

Requests for header updates lose the column of their replies, which is empty: replies are made of the orders.
"""

from __future__ import annotations

from alembic import op

from armillary.migrations.scripts import execute

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

SCOPES = r"""
ALTER TABLE token DROP CONSTRAINT token_scopes_known;
ALTER TABLE token ADD CONSTRAINT token_scopes_known CHECK (array_to_string(scopes, E'\n', '?')
    ~ '^((read|upload|edit|site|pipe|admin)(:[^\n]+)?(\n|$))*$');
"""

# Earlier releases know no limits, and a token must not become one for everything.
SCOPES_BACK = """
UPDATE token SET scopes = ARRAY(SELECT scope FROM unnest(scopes) AS scope WHERE scope NOT LIKE '%:%');
ALTER TABLE token DROP CONSTRAINT token_scopes_known;
ALTER TABLE token ADD CONSTRAINT token_scopes_known
    CHECK (scopes <@ ARRAY['read', 'upload', 'edit', 'site', 'pipe', 'admin']);
"""

# Whoever writes frames copies what the root says, so the check of one table is enough.
LEVELS = """
ALTER TABLE root ADD COLUMN visibility text
    CONSTRAINT root_visibility_known CHECK (visibility IN ('metadata', 'open'));
ALTER TABLE frame ADD COLUMN visibility text;
"""

LEVELS_BACK = """
ALTER TABLE frame DROP COLUMN visibility;
ALTER TABLE root DROP COLUMN visibility;
"""

TELL = """
CREATE FUNCTION access_tell() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    PERFORM pg_notify('access', '');
    RETURN NULL;
END $$
"""

# Nobody remembers that there is no such token, so a new one needs no word. For each row, since many a statement
# finds none, and equal words of a transaction are said once.
TRIGGERS = """
CREATE TRIGGER token_tell AFTER UPDATE OR DELETE ON token
    FOR EACH ROW EXECUTE FUNCTION access_tell();
CREATE TRIGGER token_tell_all AFTER TRUNCATE ON token
    FOR EACH STATEMENT EXECUTE FUNCTION access_tell();
CREATE TRIGGER access_grant_tell AFTER INSERT OR UPDATE OR DELETE ON access_grant
    FOR EACH ROW EXECUTE FUNCTION access_tell();
CREATE TRIGGER access_grant_tell_all AFTER TRUNCATE ON access_grant
    FOR EACH STATEMENT EXECUTE FUNCTION access_tell();
ALTER TABLE update_request DROP COLUMN reply;
"""

TRIGGERS_BACK = """
DROP TRIGGER token_tell ON token;
DROP TRIGGER token_tell_all ON token;
DROP TRIGGER access_grant_tell ON access_grant;
DROP TRIGGER access_grant_tell_all ON access_grant;
DROP FUNCTION access_tell();
ALTER TABLE update_request ADD COLUMN reply text NOT NULL DEFAULT '';
ALTER TABLE update_request ALTER COLUMN reply DROP DEFAULT;
"""


def upgrade() -> None:
    """Accept ``action:resource`` beside ``action``, and send a signal when tokens or grants change."""
    execute(SCOPES)
    op.execute(TELL)
    execute(TRIGGERS)
    execute(LEVELS)


def downgrade() -> None:
    """Take from tokens what they could do to one resource, send no signals, and tell metadata of all files."""
    execute(LEVELS_BACK)
    execute(TRIGGERS_BACK)
    execute(SCOPES_BACK)
