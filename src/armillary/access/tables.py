"""Tables of tokens and grants, and of who gave, took and used these."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

token = sa.Table(
    "token",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Column("scopes", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("created", sa.DateTime(timezone=True), nullable=False),
    sa.Column("expires", sa.DateTime(timezone=True)),
    sa.Column("revoked", sa.DateTime(timezone=True)),
    sa.Column("emails", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("groups", sa.ARRAY(sa.Text), nullable=False),
)

grant = sa.Table(
    "access_grant",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("granted", sa.DateTime(timezone=True), nullable=False),
    sa.Column("level", sa.Text),
    sa.Column("holder", sa.Text, nullable=False),
)

grant_change = sa.Table(
    "grant_change",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("level", sa.Text),
    sa.Column("origin", sa.Text, nullable=False),
)

embargoed_read = sa.Table(
    "embargoed_read",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("viewer", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("file_id", sa.BigInteger, nullable=False),
    sa.Column("version_id", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("first_byte", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger),
)
