"""Let tokens be for single actions at a site, roots be hidden, and a grant tell less than everything.

A grant says what is told of a file that is not released: nothing of what was before, which means everything. So
tokens, roots, frames and grants of before keep what they mean, and no row is written.
"""

from __future__ import annotations

from armillary.migrations.scripts import execute

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

SCOPES = r"""
ALTER TABLE token DROP CONSTRAINT token_scopes_known;
ALTER TABLE token ADD CONSTRAINT token_scopes_known CHECK (array_to_string(scopes, E'\n', '?')
    ~ '^((read|upload|edit|config|note|room|site|pipe(\.(produce|consume|admin))?|admin)(:[^\n]+)?(\n|$))*$');
"""

# Earlier releases have no name for a single one of them, and an abbreviation would be more than was given.
SCOPES_BACK = r"""
UPDATE token SET scopes = ARRAY(
    SELECT scope FROM unnest(scopes) AS scope WHERE scope !~ '^(config|note|room|pipe\.[a-z]+)(:|$)'
);
ALTER TABLE token DROP CONSTRAINT token_scopes_known;
ALTER TABLE token ADD CONSTRAINT token_scopes_known CHECK (array_to_string(scopes, E'\n', '?')
    ~ '^((read|upload|edit|site|pipe|admin)(:[^\n]+)?(\n|$))*$');
"""

LEVELS = """
ALTER TABLE root DROP CONSTRAINT root_visibility_known;
ALTER TABLE root ADD CONSTRAINT root_visibility_known CHECK (visibility IN ('hidden', 'metadata', 'open'));
ALTER TABLE access_grant ADD COLUMN level text
    CONSTRAINT access_grant_level_known CHECK (level IN ('metadata', 'open'));
"""

# The least that earlier releases can tell is metadata. A grant of less than everything must not become one of all.
LEVELS_BACK = """
UPDATE frame SET visibility = NULL WHERE visibility = 'hidden';
UPDATE root SET visibility = NULL WHERE visibility = 'hidden';
ALTER TABLE root DROP CONSTRAINT root_visibility_known;
ALTER TABLE root ADD CONSTRAINT root_visibility_known CHECK (visibility IN ('metadata', 'open'));
DELETE FROM access_grant WHERE level = 'metadata';
ALTER TABLE access_grant DROP COLUMN level;
"""


def upgrade() -> None:
    """Accept the actions, the level of roots, and the level of grants."""
    execute(SCOPES)
    execute(LEVELS)


def downgrade() -> None:
    """Take from tokens what earlier releases do not know, tell metadata of hidden files, drop lesser grants."""
    execute(LEVELS_BACK)
    execute(SCOPES_BACK)
