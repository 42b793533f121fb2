"""Questions about exposures and headers, for routes and commands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.headers.delivery.models import ExposureStatus, Found, HeaderCreated, Transition
from armillary.headers.exposures.models import ExposureState

_LATEST = """
SELECT DISTINCT ON (r.exposure, r.product) r.exposure, r.product, r.revision, r.instrument, r.image_id, e.named,
    e.config, r.day_obs, r.content_hash, r.announcement::text AS announcement
FROM header_revision AS r JOIN exposure AS e ON e.id = r.exposure
WHERE r.instrument = $1 AND ($2::text IS NULL OR r.image_id = $2) AND ($3::text IS NULL OR r.day_obs = $3)
ORDER BY r.exposure, r.product, r.revision DESC LIMIT $4
"""
_WITHOUT = """
SELECT e.id, e.named, e.image_id FROM exposure AS e
WHERE e.instrument = $1 AND e.state NOT IN ('PUBLISHED', 'ABORTED') AND (e.due IS NULL OR e.due < $2)
ORDER BY e.id
"""
# The latest event that counts comes before the first one of the night's last image, plus what that may take.
_SPAN = """
SELECT min(e.opened_at) AS first, max(e.last_t) AS last, min(e.last_t) AS earliest FROM exposure AS e
WHERE e.instrument = $1 AND e.id IN (
    SELECT r.exposure FROM header_revision AS r WHERE r.instrument = $1 AND r.day_obs = $2)
"""
_EXPOSURES = """
SELECT e.instrument, e.image_id, e.state, e.reason, e.day_obs, e.opened, e.latest::text AS latest, e.attempts,
    e.moments
FROM exposure AS e
WHERE ($1::text IS NULL OR e.instrument = $1) AND ($2::text IS NULL OR e.day_obs = $2)
    AND ($3::text IS NULL OR e.state = $3) AND ($4::bigint IS NULL OR e.id < $4)
ORDER BY e.id DESC LIMIT $5
"""
_ONE = """
SELECT e.id, e.instrument, e.image_id, e.state, e.reason, e.latest::text AS latest FROM exposure AS e
WHERE e.instrument = $1 AND e.image_id = $2
"""
_INSTRUMENT = "SELECT EXISTS (SELECT FROM header_service WHERE instrument = $1)"
_REVISIONS = """
SELECT r.exposure, r.product, r.revision, r.announcement::text AS announcement FROM header_revision AS r
WHERE r.instrument = $1 AND r.image_id = $2 AND ($3::text IS NULL OR r.product = $3)
ORDER BY r.product, r.revision
"""
_SIDECAR = """
SELECT r.exposure, r.revision, r.announcement::text AS announcement, r.sidecar FROM header_revision AS r
WHERE r.instrument = $1 AND r.image_id = $2 AND r.product = $3 AND ($4::integer IS NULL OR r.revision = $4)
ORDER BY r.revision DESC LIMIT 1
"""
_TRANSITIONS = """
SELECT state, cause, revision, noted FROM exposure_transition WHERE exposure = $1 ORDER BY id
"""
_announcements = msgspec.json.Decoder(HeaderCreated)


class Kept(Struct, frozen=True):
    """The latest revision of one product of an exposure."""

    exposure: int
    product: str
    revision: int
    instrument: str
    image_id: str
    named: str
    config: int
    day_obs: str
    content_hash: str
    announcement: str


class Revised(Struct, frozen=True):
    """A revision with its side-car, which is compressed."""

    exposure: int
    revision: int
    announcement: HeaderCreated
    sidecar: bytes


async def latest(
    connection: AsyncConnection,
    instrument: str,
    *,
    image_id: str | None = None,
    night: str | None = None,
    limit: int = 1_000_000,
) -> list[Kept]:
    """Return the latest revisions of the headers of an instrument, the oldest exposures first."""
    rows = await connection.exec_driver_sql(_LATEST, (instrument, image_id, night, limit))
    return [Kept(**row._mapping) for row in rows]


async def without_header(
    connection: AsyncConnection, instrument: str, *, now: int
) -> list[tuple[int, str, str]]:
    """Return number, id in events, and id of the exposures that should have a header by now and have none."""
    rows = await connection.exec_driver_sql(_WITHOUT, (instrument, now))
    return [(row.id, row.named, row.image_id) for row in rows]


async def span_of(connection: AsyncConnection, instrument: str, night: str) -> tuple[int, int] | None:
    """Return the event times between which all moments of a night lie, None if it has no header."""
    row = (await connection.exec_driver_sql(_SPAN, (instrument, night))).one()
    if row.first is None:
        return None
    day = 86_400_000_000_000
    return min(row.first, row.earliest) - day, row.last


async def exposures(
    connection: AsyncConnection,
    *,
    instrument: str | None,
    night: str | None,
    state: ExposureState | None,
    before: int | None,
    limit: int,
) -> list[ExposureStatus]:
    """Return exposures, the newest first."""
    values = (instrument, night, state.value if state else None, before, limit)
    return [_exposure(dict(row._mapping)) for row in await connection.exec_driver_sql(_EXPOSURES, values)]


def _exposure(row: Mapping[str, Any]) -> ExposureStatus:
    moments = {name: one["t"] for name, one in json.loads(row["moments"]).items()}
    return ExposureStatus(
        instrument=row["instrument"],
        image_id=row["image_id"],
        state=ExposureState(row["state"]),
        reason=row["reason"],
        day_obs=row["day_obs"],
        opened=row["opened"],
        moments=moments,
        revisions=_numbers(row["latest"]),
        attempts=row["attempts"],
    )


def _numbers(latest: str) -> dict[str, int]:
    return {product: one["revision"] for product, one in json.loads(latest).items()}


async def is_instrument(connection: AsyncConnection, instrument: str) -> bool:
    """Tell whether an instrument has ever had a service."""
    return bool((await connection.exec_driver_sql(_INSTRUMENT, (instrument,))).scalar())


async def find(connection: AsyncConnection, instrument: str, image_id: str) -> Found | None:
    """Return the exposure of an image."""
    row = (await connection.exec_driver_sql(_ONE, (instrument, image_id))).first()
    return Found(row.id, ExposureState(row.state), row.reason, _numbers(row.latest)) if row else None


async def instruments_of(connection: AsyncConnection, image_id: str) -> list[str]:
    """Return the instruments that have an image of this id."""
    query = "SELECT instrument FROM exposure WHERE image_id = $1 ORDER BY 1"
    return list((await connection.exec_driver_sql(query, (image_id,))).scalars())


async def transitions(connection: AsyncConnection, exposure: int) -> list[Transition]:
    """Return what became of an exposure, in order."""
    rows = await connection.exec_driver_sql(_TRANSITIONS, (exposure,))
    return [Transition(ExposureState(row.state), row.cause, row.revision, row.noted) for row in rows]


async def revisions(
    connection: AsyncConnection, instrument: str, image_id: str, product: str | None
) -> list[tuple[int, HeaderCreated]]:
    """Return the announcements of all revisions of an image, each with the number of its exposure."""
    rows = await connection.exec_driver_sql(_REVISIONS, (instrument, image_id, product))
    return [(row.exposure, _announcements.decode(row.announcement)) for row in rows]


async def revision(
    connection: AsyncConnection, instrument: str, image_id: str, product: str, number: int | None
) -> Revised | None:
    """Return a revision of a header, by default the latest."""
    values = (instrument, image_id, product, number)
    row = (await connection.exec_driver_sql(_SIDECAR, values)).first()
    if row is None:
        return None
    return Revised(row.exposure, row.revision, _announcements.decode(row.announcement), row.sidecar)
