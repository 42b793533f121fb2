"""Let a root say what makes a file: its name in the archive, or its directory and name.

Existing roots and files keep their names as identity. The index by name begins with the name still, so names are
found as before.
"""

from __future__ import annotations

from alembic import op

from armillary.migrations.scripts import execute

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# Constants as defaults: no row is written, however many there are.
CREATE = """
ALTER TABLE root ADD COLUMN identity text NOT NULL DEFAULT 'unique'
    CONSTRAINT root_identity_known CHECK (identity IN ('unique', 'by-path'));
ALTER TABLE file
    ADD COLUMN root_id smallint NOT NULL DEFAULT 0,
    ADD COLUMN directory text NOT NULL DEFAULT '' COLLATE "C",
    ADD COLUMN contested boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT file_place_unique UNIQUE (name, directory, root_id),
    DROP CONSTRAINT file_name_unique;
CREATE INDEX file_contested ON file (id) WHERE contested;
CREATE INDEX version_by_bytes ON version (file_crc) WHERE canonical;
"""

# What was in several places with different bytes, before anybody told of it.
CONTESTED = """
UPDATE file SET contested = true FROM (
    SELECT file_id FROM version WHERE present GROUP BY file_id
    HAVING count(*) > 1 AND count(DISTINCT (data_size, data_crc)) > 1
) AS several WHERE file.id = several.file_id
"""

# An earlier release knows one file of a name, and would give all of them to whoever asks for it.
REFUSE = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM file GROUP BY name HAVING count(*) > 1) THEN
        RAISE 'several files have the same name, which earlier releases cannot keep'
            USING HINT = 'Make the roots unique again: armillary root set NAME --identity unique.';
    END IF;
END $$
"""

DROP = """
DROP INDEX version_by_bytes;
DROP INDEX file_contested;
ALTER TABLE file
    ADD CONSTRAINT file_name_unique UNIQUE (name),
    DROP CONSTRAINT file_place_unique,
    DROP COLUMN contested, DROP COLUMN directory, DROP COLUMN root_id;
ALTER TABLE root DROP COLUMN identity;
"""


def upgrade() -> None:
    """Identify the files of existing roots by name alone, and note which names have several contents."""
    execute(CREATE)
    op.execute(CONTESTED)


def downgrade() -> None:
    """Identify all files by name; refused where several have the same."""
    op.execute(REFUSE)
    execute(DROP)
