"""Tables of images, arrivals, information images, frozen zips."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from armillary.archive.images.names import ROLES

metadata = sa.MetaData()
Instant = sa.DateTime(timezone=True)
Real = sa.Double

image = sa.Table(
    "image",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    *(
        sa.Column(name, sa.Text, nullable=False)
        for name in ("directory", "base_filename", "site", "data_type")
    ),
    sa.Column("arrived", Instant, nullable=False),
    sa.Column("expires", Instant),
    sa.Column("capture_date", Instant),
    sa.Column("sort_date", Instant, nullable=False),
    sa.Column("release_date", sa.Date),
    sa.Column("right_ascension", Real),
    sa.Column("declination", Real),
    sa.Column("ra_deg", Real),
    sa.Column("altitude", Real),
    sa.Column("azimuth", Real),
    sa.Column("airmass", Real),
    sa.Column("exposure_time", Real),
    sa.Column("filter_used", sa.Text),
    sa.Column("user_id", sa.Text),
    sa.Column("username", sa.Text),
    sa.Column("stack", sa.BigInteger),
    sa.Column("stack_number", sa.BigInteger),
    sa.Column("shown", sa.JSON, nullable=False),
    sa.Column("header", sa.JSON),
    sa.Column("header_from", sa.Text),
    sa.Column("warnings", ARRAY(sa.Text), nullable=False),
    sa.Column("objects", ARRAY(sa.Text), nullable=False),
    *(
        column
        for role in ROLES
        for column in (sa.Column(f"{role}_key", sa.Text), sa.Column(f"{role}_rank", sa.SmallInteger))
    ),
)

arrival = sa.Table(
    "arrival",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("site", sa.Text, nullable=False),
    sa.Column("filename", sa.Text, nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("arrived", Instant, nullable=False),
    sa.Column("expires", Instant, nullable=False),
)

info_reservation = sa.Table(
    "info_reservation",
    metadata,
    sa.Column("site", sa.Text, primary_key=True),
    sa.Column("channel", sa.SmallInteger, primary_key=True),
    sa.Column("base_filename", sa.Text, nullable=False),
    sa.Column("reserved", Instant, nullable=False),
)

info_image = sa.Table(
    "info_image",
    metadata,
    sa.Column("site", sa.Text, primary_key=True),
    sa.Column("channel", sa.SmallInteger, primary_key=True),
    sa.Column("base_filename", sa.Text, nullable=False),
    sa.Column("data_type", sa.Text),
    sa.Column("file_date", sa.Text),
    sa.Column("expires", Instant, nullable=False),
    sa.Column("objects", JSONB, nullable=False),
    sa.Column("header", sa.JSON(none_as_null=True)),
)
