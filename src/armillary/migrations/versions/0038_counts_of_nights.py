"""Count the frames of nights as they come and go, so that a calendar of a million frames is read in milliseconds.

Whoever writes frames adds rows that say what became more or less, and changes none: nobody waits for another one,
and what a transaction sees is the truth whatever else is under way. Rows that belong together are folded into one
by and by.

Programs are not told apart: with them there were half as many rows as frames, and theirs have an index.
"""

from __future__ import annotations

from alembic import op

from armillary.migrations.scripts import WEB, WORKER, execute, grant

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

# Frames without a night are those of infinity. Everybody may know of a frame from the day `known_from` on.
TABLE = """
CREATE TABLE night_count (
    night date NOT NULL,
    site text,
    instrument text,
    observation_type text,
    known_from date NOT NULL,
    frames bigint NOT NULL,
    folded boolean NOT NULL
);
CREATE INDEX night_count_by_night ON night_count (night);
CREATE INDEX night_count_to_fold ON night_count (night) WHERE NOT folded;
"""

# What has no release is never known to everybody where files are hidden; what is no secret always was.
_KEY = """coalesce(f.night, 'infinity'), f.site, f.instrument, f.observation_type,
        CASE WHEN f.visibility IS DISTINCT FROM 'hidden' OR coalesce(f.engineering, false) THEN '-infinity'
            ELSE coalesce(f.release, 'infinity') END"""

NOTE = """
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    INSERT INTO public.night_count (
        night, site, instrument, observation_type, known_from, frames, folded)
    SELECT {key}, {sum}, false FROM {rows} GROUP BY 1, 2, 3, 4, 5 HAVING {sum} <> 0;
    RETURN NULL;
END $$
"""
_BOTH = "(SELECT *, 1 AS n FROM after UNION ALL SELECT *, -1 AS n FROM before) AS f"
FUNCTIONS = tuple(
    NOTE.format(name=name, key=_KEY, sum=total, rows=rows)
    for name, total, rows in (
        ("frame_count_more", "count(*)", "after AS f"),
        ("frame_count_less", "-count(*)", "before AS f"),
        ("frame_count_other", "sum(f.n)", _BOTH),
    )
)
EMPTIED = """
CREATE FUNCTION frame_count_none() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    DELETE FROM public.night_count;
    RETURN NULL;
END $$
"""
TRIGGERS = """
CREATE TRIGGER frame_added AFTER INSERT ON frame
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION frame_count_more();
CREATE TRIGGER frame_removed AFTER DELETE ON frame
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION frame_count_less();
CREATE TRIGGER frame_changed AFTER UPDATE ON frame
    REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION frame_count_other();
CREATE TRIGGER frame_emptied AFTER TRUNCATE ON frame FOR EACH STATEMENT EXECUTE FUNCTION frame_count_none();
"""
FILL = f"""
INSERT INTO night_count SELECT {_KEY}, count(*), true FROM frame AS f GROUP BY 1, 2, 3, 4, 5
"""  # noqa: S608
DOWNGRADE = """
DROP TRIGGER frame_emptied ON frame;
DROP TRIGGER frame_changed ON frame;
DROP TRIGGER frame_removed ON frame;
DROP TRIGGER frame_added ON frame;
DROP FUNCTION frame_count_more(), frame_count_less(), frame_count_other(), frame_count_none();
DROP TABLE night_count;
"""


def upgrade() -> None:
    """Count what there is, and let every change of frames be counted."""
    execute(TABLE)
    for function in (*FUNCTIONS, EMPTIED):
        op.execute(function)
    execute(TRIGGERS)
    op.execute(FILL)
    grant(WORKER, "SELECT, INSERT, UPDATE, DELETE", "night_count")
    grant(WEB, "SELECT", "night_count")


def downgrade() -> None:
    """Count no more."""
    execute(DOWNGRADE)
