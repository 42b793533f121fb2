"""Let a scope of a token name the resource that it is limited to."""

from __future__ import annotations

from armillary.migrations.scripts import execute

revision = "0017"
down_revision = "0016"
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


def upgrade() -> None:
    """Accept ``action:resource`` beside ``action``."""
    execute(SCOPES)


def downgrade() -> None:
    """Take from tokens what they could do to one resource."""
    execute(SCOPES_BACK)
