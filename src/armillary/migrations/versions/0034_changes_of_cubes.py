"""Tell followers what files of ingestion roots are: also where the files stay as they are."""

from __future__ import annotations

from alembic import op

from armillary.migrations.scripts import execute

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

NOTE = """
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp{settings}
AS $$
BEGIN
    PERFORM public.feed_append(
        'cubes', array_agg(c.oid ORDER BY c.id), array_agg(jsonb_build_object('file', c.file_id) ORDER BY c.id))
    FROM {rows};
    RETURN NULL;
END $$
"""

RECORDED = NOTE.format(name="cube_note_recorded", settings="", rows="recorded AS c")
# A session plans this once, by the first statement that it sees, which may be one of a single row.
CHANGED = NOTE.format(
    name="cube_note_changed",
    settings="\nSET enable_nestloop = off",
    rows="""before AS o JOIN after AS c ON c.id = o.id
    WHERE (o.file_id, o.published) IS DISTINCT FROM (c.file_id, c.published)""",
)
FORGOTTEN = NOTE.format(name="cube_note_forgotten", settings="", rows="forgotten AS c")

TRIGGERS = """
CREATE TRIGGER cube_recorded AFTER INSERT ON cube
    REFERENCING NEW TABLE AS recorded FOR EACH STATEMENT EXECUTE FUNCTION cube_note_recorded();
CREATE TRIGGER cube_changed AFTER UPDATE ON cube
    REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION cube_note_changed();
CREATE TRIGGER cube_forgotten AFTER DELETE ON cube
    REFERENCING OLD TABLE AS forgotten FOR EACH STATEMENT EXECUTE FUNCTION cube_note_forgotten();
INSERT INTO feed_topic (id, name) SELECT max(id) + 1, 'cubes' FROM feed_topic;
"""

DOWNGRADE = """
DELETE FROM feed_consumer USING feed_topic AS t WHERE t.id = topic AND t.name = 'cubes';
DELETE FROM feed_entry USING feed_topic AS t WHERE t.id = topic AND t.name = 'cubes';
DELETE FROM feed_topic WHERE name = 'cubes';
DROP TRIGGER cube_forgotten ON cube;
DROP TRIGGER cube_changed ON cube;
DROP TRIGGER cube_recorded ON cube;
DROP FUNCTION cube_note_recorded(), cube_note_changed(), cube_note_forgotten();
"""


def upgrade() -> None:
    """Add a topic of the feed, and the triggers that write there."""
    for function in (RECORDED, CHANGED, FORGOTTEN):
        op.execute(function)
    execute(TRIGGERS)


def downgrade() -> None:
    """Tell nobody any more; the cubes stay."""
    execute(DOWNGRADE)
