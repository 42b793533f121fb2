"""Every statement on revisions of headers and their objects."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from armillary.base.feed.writer import appending
from armillary.headers.delivery.models import HEADERS

# One statement, and so one transaction and one trip: the exposure, the revision, its objects, the log and the
# announcement, or nothing if another process has taken the service over.
_FENCE = """
WITH fence AS MATERIALIZED (
    SELECT s.instrument FROM header_service AS s WHERE s.instrument = $1 AND s.epoch = $2::bigint FOR SHARE
), moved AS (
    UPDATE exposure AS e SET state = $4, reason = $5, latest = $6::text::json, rendered = $7, attempts = $8,
        due = $9, due_because = $10
    FROM fence AS f WHERE e.id = $3::bigint RETURNING e.id, e.instrument, e.image_id
), noted AS (
    INSERT INTO exposure_transition (exposure, state, cause, revision)
    SELECT m.id, s.state, s.cause, s.revision
    FROM moved AS m, unnest($11::text[], $12::text[], $13::integer[]) AS s (state, cause, revision)
)"""
_KEY = "ARRAY[m.instrument || '/' || m.image_id]"
_PUBLISH = f"""{_FENCE}, revised AS (
    INSERT INTO header_revision (exposure, product, revision, instrument, image_id, day_obs, content_hash,
        inputs_hash, complete, announcement, difference, sidecar, created)
    SELECT m.id, $14::text, $15::integer, m.instrument, m.image_id, $16::text, $17::text, $18::text,
        $19::boolean, $20::text::json, $21::text::json, $22::bytea, $23::bigint FROM moved AS m
    RETURNING exposure
), kept AS (
    INSERT INTO header_object (exposure, product, revision, extension, key)
    SELECT r.exposure, $14::text, $15::integer, o.extension, o.key
    FROM revised AS r, unnest($24::text[], $25::text[]) AS o (extension, key)
)
SELECT {appending("$26::text", _KEY, "ARRAY[$20::text::jsonb]")} FROM moved AS m
"""  # noqa: S608
_FAIL = f"""{_FENCE}
SELECT CASE WHEN $14::text IS NOT NULL
    THEN {appending("$15::text", _KEY, "ARRAY[$14::text::jsonb]")} END
FROM moved AS m
"""  # noqa: S608
_SIDECAR = "SELECT sidecar FROM header_revision WHERE exposure = $1 AND product = $2 AND revision = $3"


class Change(Struct, frozen=True):
    """What becomes of the row of an exposure: by whose authority, its new columns, its steps."""

    instrument: str
    epoch: int
    exposure: int
    state: str
    reason: str | None
    latest: str
    rendered: int
    attempts: int
    due: int | None
    because: str | None
    states: list[str]
    causes: list[str]
    revisions: list[int | None]


class Revision(Struct, frozen=True):
    """What a new revision consists of; the announcement and the difference are texts of JSON."""

    product: str
    revision: int
    day_obs: str
    content_hash: str
    inputs_hash: str
    complete: bool
    announcement: str
    difference: str
    sidecar: bytes
    created: int
    extensions: list[str]
    keys: list[str]


async def publish(connection: Any, change: Change, revision: Revision) -> bool:
    """Store a revision and announce it; False if another process has taken the service over."""
    values = (*msgspec.structs.astuple(change), *msgspec.structs.astuple(revision))
    return bool(await connection.fetch(_PUBLISH, *values, HEADERS.name))


async def change(connection: Any, one: Change, announcement: str | None = None) -> bool:
    """Write down what became of an exposure without a new revision, and announce a failure if that is given."""
    return bool(await connection.fetch(_FAIL, *msgspec.structs.astuple(one), announcement, HEADERS.name))


async def sidecar(connection: Any, exposure: int, product: str, revision: int) -> bytes | None:
    """Return the compressed side-car of a revision."""
    found: bytes | None = await connection.fetchval(_SIDECAR, exposure, product, revision)
    return found


def latest_text(latest: Sequence[tuple[str, int, str]]) -> str:
    """Return the latest revisions of products as they are stored."""
    return json.dumps({product: {"revision": n, "content_hash": digest} for product, n, digest in latest})
