"""A cube as clients of the SST archive read it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from armillary.archive.cubes.service import DerivedKind, ShownCube
from armillary.archive.products.service import IMAGE, THUMBNAIL, VIDEO
from armillary.fits.header import read_values
from armillary.fits.models import Value
from armillary.fits.records import record_values

CUBES = "/api/v1/data_cube"
PICTURES = {"preview": IMAGE, "thumbnail": THUMBNAIL, "video": VIDEO}
"""Kinds of products by what they are called here."""
DERIVED = {"r0": DerivedKind.R0, "spectral_line": DerivedKind.SPECTRAL_LINE, "wcs": DerivedKind.WCS}
"""Kinds of derived data by what they are called here."""
INTEGERS = 1 << 63
_UNDERSCORES = str.maketrans("- .", "___")


async def cube_documents(shown: Sequence[ShownCube]) -> list[dict[str, Any]]:
    """Return cubes as JSON; their headers are unpacked and read, which is work for a thread."""
    return await asyncio.to_thread(lambda: [cube_document(one) for one in shown])


def cube_document(shown: ShownCube) -> dict[str, Any]:
    """Return all that is told of a cube; what does not exist, or is not for the viewer, is null."""
    cube, (begin, end) = shown.cube, shown.observation
    header = shown.version.headers()[0] if shown.open_headers else None
    return {
        "id": cube.id,
        "oid": cube.oid,
        "path": cube.path,
        "filename": cube.location.filename,
        "size": shown.version.file_size,
        "date_beg": instant(cube.date_beg),
        "date_end": instant(cube.date_end),
        "metadata": None if header is None else metadata_of(header),
        "instrument": {"name": cube.instrument},
        "observation": {"date_beg": instant(begin), "date_end": instant(end)},
        "grouping_tag": cube.grouping_tag,
        "tags": [{"name": term, "type": vocabulary} for vocabulary, term in shown.tags],
        "features_ingested": cube.features_ingested,
        "events_ingested": cube.events_ingested,
        "warnings": list(cube.warnings),
        "links": _links(shown),
    }


def _links(shown: ShownCube) -> dict[str, str | None]:
    there = {name: kind in shown.products for name, kind in PICTURES.items()}
    there |= {name: kind in shown.derived for name, kind in DERIVED.items()}
    there |= {"header": True, "download": shown.version.present}
    names = ("header", *PICTURES, *DERIVED, "download")
    return {name: f"{CUBES}/{shown.cube.id}/{name}/" if there[name] else None for name in names}


def metadata_of(header: bytes) -> dict[str, Any]:
    """Return the keywords of a header: lower case, with an underscore for what no name has.

    Record-valued cards are there by their fields, too: ``DW3 = 'AXIS.1: 1'`` as ``dw3_axis_1``.
    """
    named: dict[str, Any] = {}
    for keyword, value in (*read_values(header).items(), *record_values(header).items()):
        # Of two spellings that come out alike the first one counts, as of two cards of one keyword.
        named.setdefault(keyword.lower().translate(_UNDERSCORES), plain_value(value))
    return named


def plain_value(value: Value) -> Any:
    """Return the value of a card as JSON has it: large integers and complex numbers as text."""
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
