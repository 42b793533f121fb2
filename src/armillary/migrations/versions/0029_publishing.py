"""Keep which records the SOLARNET Virtual Observatory has acknowledged, and know it as a destination.

A destination is of a sort; files are exported to those of the sort 'files' alone.
"""

from __future__ import annotations

from alembic import op

from armillary.migrations.scripts import WEB, WORKER, execute, grant

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

SORTS = """
ALTER TABLE export_destination ADD COLUMN sort text NOT NULL DEFAULT 'files'
    CONSTRAINT export_destination_sort_known CHECK (sort IN ('files', 'svo'));
CREATE TABLE svo_record (
    dataset text NOT NULL,
    oid text NOT NULL,
    file_id bigint NOT NULL,
    digest text NOT NULL,
    acknowledged timestamptz NOT NULL,
    CONSTRAINT svo_record_pk PRIMARY KEY (dataset, oid)
);
CREATE INDEX svo_record_of_file ON svo_record (file_id);
"""

# The order is part of the transaction that records the versions, so none can be forgotten.
NOTE = """
CREATE OR REPLACE FUNCTION export_note() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.export_destination WHERE active{only}) THEN
        RETURN NULL;
    END IF;
    INSERT INTO public.work_order (kind, args, actor, max_attempts)
    SELECT 'plan_exports', jsonb_build_object('files', jsonb_agg(jsonb_build_object(
        'name', file.name, 'path', r.path, 'batch', w.batch))), 'armillary', 0
    FROM recorded AS r JOIN public.file ON file.id = r.file_id
    LEFT JOIN public.work_order AS w ON w.state = 'Started' AND w.leader_id IS NULL
        AND w.key = r.root_id || ':' || CASE r.path WHEN '' THEN '' ELSE r.path || '/' END || r.filename
    WHERE r.present AND r.canonical
    HAVING count(*) > 0;
    PERFORM pg_notify('work_queued', '');
    RETURN NULL;
END $$
"""

BACK = """
DROP TABLE svo_record;
DELETE FROM export_destination WHERE sort <> 'files';
ALTER TABLE export_destination DROP COLUMN sort;
"""


def upgrade() -> None:
    """Add sorts of destinations, and the records that were acknowledged."""
    execute(SORTS)
    op.execute(NOTE.replace("{only}", " AND sort = 'files'"))
    grant(WORKER, "SELECT, INSERT, UPDATE, DELETE", "svo_record")
    grant(WEB, "SELECT", "svo_record")


def downgrade() -> None:
    """Forget them; other destinations than those of files are unknown again."""
    op.execute(NOTE.replace("{only}", ""))
    execute(BACK)
