"""Create the tables of exports to other servers.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

from alembic import op

from armillary.migrations.scripts import WEB, WORKER, execute, grant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

CREATE = """
CREATE TABLE export_destination (
    name text CONSTRAINT export_destination_pk PRIMARY KEY,
    url text NOT NULL,
    pattern text NOT NULL,
    active boolean NOT NULL,
    away_until timestamptz,
    error text
);
CREATE TABLE export (
    destination text NOT NULL,
    path text NOT NULL,
    name text NOT NULL,
    version_id bigint NOT NULL,
    data_md5 text NOT NULL,
    how text NOT NULL CONSTRAINT export_how_known CHECK (how IN ('already', 'header', 'bytes')),
    sent_bytes bigint NOT NULL,
    header_update json,
    md5_before_header_update text,
    md5_after_header_update text,
    exported timestamptz NOT NULL,
    CONSTRAINT export_pk PRIMARY KEY (destination, path, name),
    CONSTRAINT export_header_update_whole CHECK (
        num_nulls(header_update, md5_before_header_update, md5_after_header_update) IN (0, 3)
        AND (how = 'header') = (header_update IS NOT NULL))
);
"""

# The order is part of the transaction that records the versions, so none can be forgotten. What goes where
# is for the worker to say; the batch is that of the order that records the version.
NOTE = """
CREATE FUNCTION export_note() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.export_destination WHERE active) THEN
        RETURN NULL;
    END IF;
    INSERT INTO public.work_order (kind, args, actor, max_attempts)
    SELECT 'plan_exports', jsonb_build_object('files', jsonb_agg(jsonb_build_object(
        'name', file.name, 'path', r.path, 'batch', w.batch))), 'armillary', 1000000
    FROM recorded AS r JOIN public.file ON file.id = r.file_id
    LEFT JOIN public.work_order AS w ON w.state = 'Started' AND w.leader_id IS NULL
        AND w.key = r.root_id || ':' || CASE r.path WHEN '' THEN '' ELSE r.path || '/' END || r.filename
    WHERE r.present AND r.canonical
    HAVING count(*) > 0;
    PERFORM pg_notify('work_queued', '');
    RETURN NULL;
END $$
"""

TRIGGER = """
CREATE TRIGGER version_to_export AFTER INSERT ON version
REFERENCING NEW TABLE AS recorded FOR EACH STATEMENT EXECUTE FUNCTION export_note()
"""

DROP = """
DROP TRIGGER version_to_export ON version;
DROP FUNCTION export_note();
DROP TABLE export, export_destination;
"""


def upgrade() -> None:
    """Create them."""
    execute(CREATE)
    op.execute(NOTE)
    op.execute(TRIGGER)
    grant(WORKER, "SELECT, INSERT, UPDATE, DELETE", "export", "export_destination")
    grant(WEB, "SELECT", "export", "export_destination")


def downgrade() -> None:
    """Drop them."""
    execute(DROP)
