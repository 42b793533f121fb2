"""Every statement on exposures and their transitions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from armillary.headers.exposures.models import Because, Exposure, ExposureState, Latest, Seen, Step

_COLUMNS = """id, instrument, image_id, named, state, reason, config, moments, latest, opened_at, changed,
    rendered, attempts, due, due_because"""

_WITH_DUE = f"SELECT {_COLUMNS} FROM exposure WHERE instrument = $1 AND due IS NOT NULL ORDER BY due"  # noqa: S608
_BEARING = f"SELECT {_COLUMNS} FROM exposure WHERE instrument = $1 AND named = ANY ($2::text[]) ORDER BY id"  # noqa: S608
_BY_ID = f"SELECT {_COLUMNS} FROM exposure WHERE id = $1"  # noqa: S608
_BY_IMAGE = f"SELECT {_COLUMNS} FROM exposure WHERE instrument = $1 AND image_id = $2"  # noqa: S608
_UNPUBLISHED = "SELECT moments, opened_at FROM exposure WHERE state NOT IN ('PUBLISHED', 'ABORTED')"
_INSERT = """
INSERT INTO exposure (instrument, image_id, named, state, config, moments, opened_at, last_t, day_obs, changed,
    rendered, due, due_because)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING id
"""
_UPDATE = """
UPDATE exposure SET state = $2, reason = $3, moments = $4, last_t = $5, day_obs = $6, changed = $7, rendered = $8,
    attempts = $9, due = $10, due_because = $11 WHERE id = $1
"""
_NOTE = """
INSERT INTO exposure_transition (exposure, state, cause, revision)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::integer[])
"""
_FINISHED = """
SELECT DISTINCT named FROM exposure
WHERE instrument = $1 AND last_t >= $2 AND due IS NULL AND state IN ('PUBLISHED', 'FAILED')
"""
_TOUCH = """
UPDATE exposure AS e SET changed = t.changed, due = t.due, due_because = t.because
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[]) AS t (id, changed, due, because)
WHERE e.id = t.id
"""


async def with_due(connection: Any, instrument: str) -> list[Exposure]:
    """Return the exposures of which a header is to be made at some time, the earliest first."""
    return [exposure_of(row) for row in await connection.fetch(_WITH_DUE, instrument)]


async def bearing(connection: Any, instrument: str, names: Sequence[str]) -> list[Exposure]:
    """Return the exposures that bear image ids, the oldest first."""
    return [exposure_of(row) for row in await connection.fetch(_BEARING, instrument, list(names))]


async def by_id(connection: Any, number: int) -> Exposure | None:
    """Return one exposure."""
    row = await connection.fetchrow(_BY_ID, number)
    return exposure_of(row) if row else None


async def by_image(connection: Any, instrument: str, image_id: str) -> Exposure | None:
    """Return the exposure that is kept under an id."""
    row = await connection.fetchrow(_BY_IMAGE, instrument, image_id)
    return exposure_of(row) if row else None


async def needed_since(connection: Any) -> int | None:
    """Return the first instant of all exposures that have no header yet, TAI ns; None if there are none."""
    rows = await connection.fetch(_UNPUBLISHED)
    # Not by the database: payloads may hold numbers that it does not take for JSON.
    starts = [[one["t"] for one in json.loads(row["moments"]).values()] or [row["opened_at"]] for row in rows]
    return min((t for one in starts for t in one), default=None)


async def insert(connection: Any, one: Exposure) -> int:
    """Enter an exposure and return its number."""
    values = (one.instrument, one.image_id, one.named, one.state.value, one.config, moments_text(one))
    more = (one.opened_at, one.last_t, one.day_obs, one.changed, one.rendered, one.due, _word(one.because))
    return int(await connection.fetchval(_INSERT, *values, *more))


async def update(connection: Any, one: Exposure) -> None:
    """Write down what became of an exposure by events."""
    values = (one.id, one.state.value, one.reason, moments_text(one), one.last_t, one.day_obs)
    more = (one.changed, one.rendered, one.attempts, one.due, _word(one.because))
    await connection.execute(_UPDATE, *values, *more)


async def note(connection: Any, steps: Sequence[tuple[int, Step]]) -> None:
    """Log transitions, each with the number of its exposure."""
    if steps:
        columns = [(number, one.state.value, one.cause, one.revision) for number, one in steps]
        await connection.execute(_NOTE, *map(list, zip(*columns, strict=True)))


async def finished(connection: Any, instrument: str, t: int) -> list[str]:
    """Return the image ids of exposures that end at ``t`` or later and of which nothing is due."""
    return [row["named"] for row in await connection.fetch(_FINISHED, instrument, t)]


async def touch(connection: Any, exposures: Sequence[Exposure]) -> None:
    """Write down when exposures are looked at again that a late sample may concern."""
    if exposures:
        rows = [(one.id, one.changed, one.due, _word(one.because)) for one in exposures]
        await connection.execute(_TOUCH, *map(list, zip(*rows, strict=True)))


def moments_text(one: Exposure) -> str:
    """Return the moments as they are stored: payloads may hold numbers for which JSON proper has no word."""
    return json.dumps({name: msgspec.structs.asdict(seen) for name, seen in one.moments.items()})


def exposure_of(row: Any) -> Exposure:
    """Return the exposure that a row holds."""
    found = dict(row)
    because, moments, latest = found.pop("due_because"), json.loads(found["moments"]), found["latest"]
    found["state"] = ExposureState(found["state"])
    found["because"] = Because(because) if because else None
    found["moments"] = {name: Seen(**one) for name, one in moments.items()}
    latest = json.loads(latest) if isinstance(latest, str) else latest
    found["latest"] = {product: Latest(**one) for product, one in latest.items()}
    return Exposure(**found)


def _word(because: Because | None) -> str | None:
    return because.value if because else None
