"""Record what changes in the archive, for those who follow it.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

from alembic import op

from armillary.migrations.scripts import WEB, WORKER, execute, grant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CREATE = """
CREATE TABLE change_generation (
    number integer CONSTRAINT change_generation_pk PRIMARY KEY,
    began timestamptz NOT NULL DEFAULT now()
);
INSERT INTO change_generation (number) VALUES (1);
CREATE TABLE change (
    id bigint GENERATED ALWAYS AS IDENTITY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    generation integer NOT NULL,
    file_id bigint NOT NULL,
    version_id bigint NOT NULL,
    present boolean NOT NULL,
    canonical boolean NOT NULL,
    kind text NOT NULL CONSTRAINT change_kind_known
        CHECK (kind IN ('added', 'changed', 'superseded', 'absent', 'restored', 'digests', 'forgotten')),
    CONSTRAINT change_pk PRIMARY KEY (generation, xid, id)
);
CREATE INDEX edit_by_version ON edit (version_after) WHERE outcome = 'changed';
"""

# Transaction ids of a new server are smaller than those that a dump brings along.
NOTICE = """
CREATE FUNCTION change_notice_restore() RETURNS boolean LANGUAGE sql
SET search_path = pg_catalog, public, pg_temp
AS $$
    WITH latest AS (SELECT max(number) AS number FROM public.change_generation),
    begun AS (
        INSERT INTO public.change_generation (number)
        SELECT number + 1 FROM latest
        WHERE (SELECT c.xid FROM public.change AS c WHERE c.generation = latest.number ORDER BY c.xid DESC LIMIT 1)
            >= pg_snapshot_xmax(pg_current_snapshot())
        ON CONFLICT DO NOTHING RETURNING number
    )
    SELECT EXISTS (SELECT FROM begun)
$$
"""

NOTE = """
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    INSERT INTO public.change (generation, file_id, version_id, present, canonical, kind)
    SELECT (SELECT max(number) FROM public.change_generation), {columns}
    FROM {rows};
    IF FOUND THEN
        PERFORM pg_notify('archive_changed', '');
    END IF;
    RETURN NULL;
END $$
"""

RECORDED = NOTE.format(
    name="change_note_recorded",
    columns="""v.file_id, v.id, v.present, v.canonical,
        CASE WHEN v.previous_id IS NULL AND NOT EXISTS (
            SELECT FROM public.version AS e WHERE e.file_id = v.file_id AND e.id < v.id
        ) THEN 'added' ELSE 'changed' END""",
    rows="recorded AS v ORDER BY v.id",
)

STANDING = NOTE.format(
    name="change_note_standing",
    columns="""v.file_id, v.id, v.present, v.canonical,
        CASE WHEN o.canonical AND NOT v.canonical THEN 'superseded'
            WHEN o.present AND NOT v.present THEN 'absent'
            WHEN o.data_md5 IS DISTINCT FROM v.data_md5 THEN 'digests'
            ELSE 'restored' END""",
    rows="""before AS o JOIN after AS v ON v.id = o.id
    WHERE (o.present, o.canonical) IS DISTINCT FROM (v.present, v.canonical)
        OR o.data_md5 IS DISTINCT FROM v.data_md5
    ORDER BY v.id""",
)

FORGOTTEN = NOTE.format(
    name="change_note_forgotten",
    columns="v.file_id, v.id, false, false, 'forgotten'",
    rows="forgotten AS v ORDER BY v.id",
)

TRIGGERS = """
CREATE TRIGGER change_recorded AFTER INSERT ON version
    REFERENCING NEW TABLE AS recorded FOR EACH STATEMENT EXECUTE FUNCTION change_note_recorded();
CREATE TRIGGER change_standing AFTER UPDATE ON version
    REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION change_note_standing();
CREATE TRIGGER change_forgotten AFTER DELETE ON version
    REFERENCING OLD TABLE AS forgotten FOR EACH STATEMENT EXECUTE FUNCTION change_note_forgotten();
"""

DROP = """
DROP TRIGGER change_forgotten ON version;
DROP TRIGGER change_standing ON version;
DROP TRIGGER change_recorded ON version;
DROP FUNCTION change_note_recorded(), change_note_standing(), change_note_forgotten();
DROP FUNCTION change_notice_restore();
DROP INDEX edit_by_version;
DROP TABLE change, change_generation;
"""


def upgrade() -> None:
    """Create tables, triggers and rights; versions that are there already count as added now."""
    execute(CREATE)
    for function in (NOTICE, RECORDED, STANDING, FORGOTTEN):
        op.execute(function)
    op.execute("""
        INSERT INTO change (generation, file_id, version_id, present, canonical, kind)
        SELECT 1, file_id, id, present, canonical,
            CASE WHEN row_number() OVER (PARTITION BY file_id ORDER BY id) = 1 THEN 'added' ELSE 'changed' END
        FROM version ORDER BY id
    """)
    execute(TRIGGERS)
    grant(WORKER, "SELECT, INSERT", "change", "change_generation")
    grant(WEB, "SELECT", "change", "change_generation")


def downgrade() -> None:
    """Drop them."""
    execute(DROP)
