"""Order the changes of one version as they happened, whichever transaction began first.

A transaction that began earlier, and came to a version later than another one, had its change told first: the
feed then ended with how the version stood before. Such a change now bears the id of the later transaction. Nobody
has read that far as long as the earlier one runs, so nothing is added behind a reader's back.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

from importlib import import_module

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

NOTE = """
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
-- What runs beside this is a few rows at the end of the index, whatever was known of the table at first.
SET enable_seqscan = off
AS $$
BEGIN
    INSERT INTO public.change (generation, xid, file_id, version_id, present, canonical, kind)
    WITH ahead AS (
        SELECT DISTINCT ON (c.version_id) c.version_id, c.xid FROM public.change AS c
        WHERE c.generation = (SELECT max(number) FROM public.change_generation)
            AND c.xid > pg_current_xact_id()
        ORDER BY c.version_id, c.xid DESC
    )
    SELECT (SELECT max(number) FROM public.change_generation), coalesce(ahead.xid, pg_current_xact_id()),
        {columns}
    FROM {rows} LEFT JOIN ahead ON ahead.version_id = v.id
    {condition} ORDER BY v.id;
    IF FOUND THEN
        PERFORM pg_notify('archive_changed', '');
    END IF;
    RETURN NULL;
END $$
"""

STANDING = NOTE.format(
    name="change_note_standing",
    columns="""v.file_id, v.id, v.present, v.canonical,
        CASE WHEN o.canonical AND NOT v.canonical THEN 'superseded'
            WHEN o.present AND NOT v.present THEN 'absent'
            WHEN o.data_md5 IS DISTINCT FROM v.data_md5 THEN 'digests'
            ELSE 'restored' END""",
    rows="(before AS o JOIN after AS v ON v.id = o.id)",
    condition="""WHERE (o.present, o.canonical) IS DISTINCT FROM (v.present, v.canonical)
        OR o.data_md5 IS DISTINCT FROM v.data_md5""",
)

FORGOTTEN = NOTE.format(
    name="change_note_forgotten",
    columns="v.file_id, v.id, false, false, 'forgotten'",
    rows="forgotten AS v",
    condition="",
)


def upgrade() -> None:
    """Replace the functions of the triggers; changes that were noted keep their places."""
    op.execute(STANDING)
    op.execute(FORGOTTEN)


def downgrade() -> None:
    """Bring the former functions back."""
    former = import_module("armillary.migrations.versions.0004_changes")
    for function in (former.STANDING, former.FORGOTTEN):
        op.execute(function.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
