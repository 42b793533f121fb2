"""Find cubes by their place on the solar disk: keep and index the boxes that their coverage tells."""

from __future__ import annotations

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

# The text is UTF-8 whatever the database is, so the same bytes always are the same box.
BOX = """
CREATE FUNCTION cube_box(content bytea) RETURNS box LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT box(point((told->>0)::float8, (told->>1)::float8), point((told->>2)::float8, (told->>3)::float8))
    FROM (SELECT convert_from(content, 'UTF8')::jsonb #> '{data,box}' AS told) AS found
$$
"""
# To read the text for every row of a search takes seconds where there are many.
COLUMN = """
ALTER TABLE cube_derived ADD COLUMN disk box
    GENERATED ALWAYS AS (CASE kind WHEN 'wcs' THEN public.cube_box(content) END) STORED
"""
INDEX = "CREATE INDEX cube_derived_by_disk ON cube_derived USING gist (disk) WHERE disk IS NOT NULL"


def upgrade() -> None:
    """Add the function, the column and the index."""
    op.execute(BOX)
    op.execute(COLUMN)
    op.execute(INDEX)


def downgrade() -> None:
    """Drop them."""
    op.execute("ALTER TABLE cube_derived DROP COLUMN disk")
    op.execute("DROP FUNCTION cube_box")
