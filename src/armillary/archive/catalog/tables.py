"""Tables of roots, files, versions, frames, products and findings."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from armillary.archive.fields import HOT, FrameField, Kind

metadata = sa.MetaData()

root = sa.Table(
    "root",
    metadata,
    sa.Column("id", sa.SmallInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("in_place", sa.Boolean, nullable=False),
    sa.Column("watched", sa.Boolean, nullable=False),
    sa.Column("claimed", sa.Boolean, nullable=False),
    sa.Column("visibility", sa.Text),
    sa.Column("identity", sa.Text, nullable=False),
    sa.Column("profile", sa.Text),
)

file = sa.Table(
    "file",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    # Of files that are identified by path; 0 and empty for all that share one name wherever they lie.
    sa.Column("root_id", sa.SmallInteger, nullable=False),
    sa.Column("directory", sa.Text, nullable=False),
    # Whether it was recorded in several places with different content; it need not be so any more.
    sa.Column("contested", sa.Boolean, nullable=False),
)

version = sa.Table(
    "version",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("file_id", sa.BigInteger, nullable=False),
    sa.Column("root_id", sa.SmallInteger, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("filename", sa.Text, nullable=False),
    sa.Column("container", sa.Text, nullable=False),
    sa.Column("present", sa.Boolean, nullable=False),
    sa.Column("canonical", sa.Boolean, nullable=False),
    sa.Column("file_size", sa.BigInteger, nullable=False),
    sa.Column("data_size", sa.BigInteger, nullable=False),
    sa.Column("file_crc", sa.BigInteger, nullable=False),
    sa.Column("data_crc", sa.BigInteger, nullable=False),
    sa.Column("file_md5", sa.Text),
    sa.Column("data_md5", sa.Text),
    sa.Column("file_sha256", sa.Text),
    sa.Column("data_sha256", sa.Text),
    sa.Column("mtime_ns", sa.BigInteger, nullable=False),
    sa.Column("identity", sa.Text, nullable=False),
    sa.Column("lastmod", sa.DateTime(timezone=True), nullable=False),
    sa.Column("entrytime", sa.DateTime(timezone=True), nullable=False),
    sa.Column("layout", JSONB, nullable=False),
    sa.Column("headers", sa.LargeBinary, nullable=False),
    sa.Column("series_id", sa.Uuid),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("previous_id", sa.BigInteger),
    sa.Column("undo", sa.Text),
)

_TYPES: dict[Kind, type[sa.types.TypeEngine[Any]]] = {
    "text": sa.Text,
    "number": sa.Double,
    "flag": sa.Boolean,
    "day": sa.Date,
    "instant": sa.DateTime,
    "percentile": sa.SmallInteger,
}


def type_of(field: FrameField) -> sa.types.TypeEngine[Any]:
    """Return the type of the column of a field."""
    return sa.DateTime(timezone=True) if field.kind == "instant" else _TYPES[field.kind]()


frame = sa.Table(
    "frame",
    metadata,
    sa.Column("file_id", sa.BigInteger, primary_key=True),
    sa.Column("version_id", sa.BigInteger, nullable=False),
    *(sa.Column(field.name, type_of(field)) for field in HOT),
    sa.Column("hpx", sa.BigInteger),
    sa.Column("details", JSONB, nullable=False),
    sa.Column("keywords", JSONB, nullable=False),
    sa.Column("series_id", sa.Uuid),
    sa.Column("warnings", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("visibility", sa.Text),
)

series = sa.Table(
    "series",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("headers", sa.LargeBinary, nullable=False),
    sa.Column("keywords", JSONB, nullable=False),
)

# What became more or less of frames that are alike in this way; their number is the sum of all rows.
night_count = sa.Table(
    "night_count",
    metadata,
    sa.Column("night", sa.Date, nullable=False),
    sa.Column("site", sa.Text),
    sa.Column("instrument", sa.Text),
    sa.Column("observation_type", sa.Text),
    # The day from which everybody may know of them.
    sa.Column("known_from", sa.Date, nullable=False),
    sa.Column("frames", sa.BigInteger, nullable=False),
    sa.Column("folded", sa.Boolean, nullable=False),
)


def keywords_with(keyword: str) -> sa.ColumnElement[Any]:
    """Return the keywords that say what value a keyword has for a frame: its own, or those of its series."""
    return sa.case((frame.c.keywords.has_key(keyword), frame.c.keywords), else_=_shared())


def all_keywords() -> sa.ColumnElement[Any]:
    """Return all keywords of a frame."""
    return sa.func.coalesce(_shared(), sa.literal({}, JSONB)).concat(frame.c.keywords)


def headers_of_series() -> sa.ScalarSelect[Any]:
    """Return the headers with which those of a version are compressed."""
    query = sa.select(series.c.headers).where(series.c.id == version.c.series_id)
    return query.correlate(version).scalar_subquery()


def _shared() -> sa.ScalarSelect[Any]:
    query = sa.select(series.c.keywords).where(series.c.id == frame.c.series_id)
    return query.correlate(frame).scalar_subquery()


product = sa.Table(
    "product",
    metadata,
    sa.Column("version_id", sa.BigInteger, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("width", sa.Integer),
    sa.Column("height", sa.Integer),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("made", sa.DateTime(timezone=True), nullable=False),
    sa.Column("content", sa.LargeBinary),
    sa.Column("key", sa.Text),
    sa.Column("step", sa.SmallInteger, nullable=False),
    sa.Column("parameters", JSONB),
    sa.Column("source", sa.Text),
)

header_check = sa.Table(
    "header_check",
    metadata,
    sa.Column("version_id", sa.BigInteger, primary_key=True),
    sa.Column("checked", sa.DateTime(timezone=True), nullable=False),
)

finding = sa.Table(
    "finding",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("version_id", sa.BigInteger, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("rule_group", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("keyword", sa.Text, nullable=False),
    sa.Column("expected", sa.JSON, nullable=False),
    sa.Column("actual", sa.JSON, nullable=False),
    sa.Column("residual", sa.Double),
    sa.Column("unit", sa.Text, nullable=False),
    sa.Column("hypothesis", sa.Text),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("proposal", sa.Text),
)


def few(rows: int) -> sa.ColumnElement[int]:
    """Return a limit of rows that stands in the text of a statement.

    For a number to come with each execution, the planner would prepare for a tenth of all rows.
    """
    return sa.literal_column(str(rows), sa.Integer)
