"""Tables of update requests and of the permanent record of edits."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

metadata = sa.MetaData()

update_request = sa.Table(
    "update_request",
    metadata,
    sa.Column("id", UUID(as_uuid=True), primary_key=True),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("idempotency_key", sa.Text),
    sa.Column("body_sha256", sa.LargeBinary, nullable=False),
    sa.Column("items", sa.Text, nullable=False),
    sa.Column("accepted", sa.DateTime(timezone=True), nullable=False),
    sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
)

edit = sa.Table(
    "edit",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("order_id", sa.BigInteger, nullable=False),
    sa.Column("request_id", UUID(as_uuid=True)),
    sa.Column("item_index", sa.Integer),
    sa.Column("file_id", sa.BigInteger, nullable=False),
    sa.Column("version_before", sa.BigInteger),
    sa.Column("version_after", sa.BigInteger),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("error_code", sa.Text),
    sa.Column("cards", sa.JSON, nullable=False),
    sa.Column("reverts", sa.BigInteger),
    sa.Column("change_set", sa.BigInteger),
    sa.Column("accepted", sa.DateTime(timezone=True), nullable=False),
    sa.Column("finished", sa.DateTime(timezone=True), nullable=False),
)
