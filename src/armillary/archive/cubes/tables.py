"""Tables of cubes, their observations, tags and derived data."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData()


class Box(sa.types.UserDefinedType[str]):
    """A rectangle with sides along the axes, as PostgreSQL knows it."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the name of the type."""
        return "box"


observation = sa.Table(
    "observation",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("date_beg", sa.DateTime(timezone=True)),
    sa.Column("date_end", sa.DateTime(timezone=True)),
)

cube = sa.Table(
    "cube",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("oid", sa.Text, nullable=False),
    # Whether somebody said what it is, so that headers alone never change it.
    sa.Column("oid_given", sa.Boolean, nullable=False),
    sa.Column("file_id", sa.BigInteger, nullable=False),
    sa.Column("root_id", sa.SmallInteger, nullable=False),
    # The key of the stored file: its path below the root, with the name on disk.
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("instrument", sa.Text, nullable=False),
    sa.Column("observation_id", sa.BigInteger, nullable=False),
    sa.Column("date_beg", sa.DateTime(timezone=True)),
    sa.Column("date_end", sa.DateTime(timezone=True)),
    # When its header was made, as DATE says.
    sa.Column("made", sa.DateTime(timezone=True)),
    sa.Column("grouping_tag", sa.Text),
    sa.Column("features_ingested", sa.Boolean, nullable=False),
    sa.Column("events_ingested", sa.Boolean, nullable=False),
    # Whether the virtual observatory may be told of it; false if its order said no.
    sa.Column("published", sa.Boolean, nullable=False),
    sa.Column("warnings", sa.ARRAY(sa.Text), nullable=False),
    # What the last run that went well saw, by which the next one knows what to leave alone.
    sa.Column("snapshot", JSONB, nullable=False),
    sa.Column("added", sa.DateTime(timezone=True), nullable=False),
    sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
)

cube_tag = sa.Table(
    "cube_tag",
    metadata,
    sa.Column("cube_id", sa.BigInteger, primary_key=True),
    sa.Column("vocabulary", sa.Text, primary_key=True),
    sa.Column("term", sa.Text, primary_key=True),
)

cube_derived = sa.Table(
    "cube_derived",
    metadata,
    sa.Column("cube_id", sa.BigInteger, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("made", sa.DateTime(timezone=True), nullable=False),
    # What the content says of the place on the solar disk, in arcsec; the database fills it in.
    sa.Column("disk", Box, sa.FetchedValue()),
)
