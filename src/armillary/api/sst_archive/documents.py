"""A cube as clients of the SST archive read it."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.api.http.calls import Call
from armillary.archive.catalog import service as catalog
from armillary.archive.cubes import service as cubes
from armillary.archive.cubes.models import Cube
from armillary.fits.header import read_values
from armillary.fits.models import Value

CUBES = "/api/v1/data_cube"
_LINKS = {
    "r0": "r0",
    "spectral_line": "spectral_line",
    "wcs": "wcs",
}
"""Links to derived data by their kinds."""
INTEGERS = 1 << 63


async def cube_document(ctx: Call, connection: AsyncConnection, cube: Cube) -> dict[str, Any]:
    """Return all that is told of a cube; what does not exist is null."""
    version = (await catalog.present_of_files(connection, [cube.file_id]))[0]
    tags = (await cubes.tags_of(connection, [cube.id]))[cube.id]
    begin, end = await cubes.span_of_observation(connection, cube.observation_id)
    return {
        "id": cube.id,
        "oid": cube.oid,
        "path": cube.path,
        "filename": cube.location.filename,
        "size": version.file_size,
        "date_beg": instant(cube.date_beg),
        "date_end": instant(cube.date_end),
        "metadata": _metadata(read_values(version.headers()[0])),
        "instrument": {"name": cube.instrument},
        "observation": {"date_beg": instant(begin), "date_end": instant(end)},
        "grouping_tag": cube.grouping_tag,
        "tags": [{"name": term, "type": vocabulary} for vocabulary, term in tags],
        "features_ingested": cube.features_ingested,
        "events_ingested": cube.events_ingested,
        "warnings": list(cube.warnings),
        "links": await _links(ctx, connection, cube, version.id),
    }


async def _links(
    ctx: Call, connection: AsyncConnection, cube: Cube, version_id: int
) -> dict[str, str | None]:
    here = f"{CUBES}/{cube.id}"
    derived = await cubes.derived_kinds(connection, cube.id)
    links: dict[str, str | None] = {"header": f"{here}/header/", "download": f"{here}/download/"}
    links |= {name: f"{here}/{name}/" if kind in derived else None for name, kind in _LINKS.items()}
    return links


def _metadata(values: dict[str, Value]) -> dict[str, Any]:
    """Return the keywords of the primary header: lower case, with an underscore for what no name has."""
    return {
        keyword.lower().replace("-", "_").replace(" ", "_").replace(".", "_"): _plain(value)
        for keyword, value in values.items()
    }


def _plain(value: Value) -> Any:
    match value:
        case bool() | None | str():
            return value
        case int():
            return value if -INTEGERS <= value < INTEGERS else str(value)
        case float():
            return value if math.isfinite(value) else None
        case _:
            return str(value)


def instant(value: datetime | None) -> str | None:
    """Return a time in UTC as ISO 8601."""
    return None if value is None else value.isoformat().replace("+00:00", "Z")
