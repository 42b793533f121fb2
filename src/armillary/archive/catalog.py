"""Record new versions, many at once, with their frames: the one way into the catalog."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive import store
from armillary.archive.keywords import clean, searchable_keywords, to_json
from armillary.archive.models import Frame
from armillary.archive.series import CatalogSeries, own_keywords, pack_headers, series_of
from armillary.archive.tables import FRAME_COLUMNS, frame, version
from armillary.archive.versions import HduRecord, Location, hdus_to_json, to_signed
from armillary.fits.header import read_values
from armillary.fits.series import HeaderValues
from armillary.sky.healpix import healpix_indices

_HOT = tuple(name for name, _ in FRAME_COLUMNS)
_DETAILS = tuple(f.name for f in dataclasses.fields(Frame) if f.name not in (*_HOT, "warnings"))
VERSION_ROW = tuple(column.name for column in version.c)
FRAME_ROW = tuple(column.name for column in frame.c)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """All that is known of a byte state when it is recorded; ``values`` of its headers if they were read."""

    name: str
    location: Location
    container: str
    file_size: int
    data_size: int
    file_crc: int
    data_crc: int
    mtime_ns: int
    identity: str
    hdus: tuple[HduRecord, ...]
    trailing: int
    trailing_crc: int
    headers: tuple[bytes, ...]
    origin: str
    frame: Frame
    values: HeaderValues | None = None
    digests: Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    previous_id: int | None = None
    undo: str | None = None


async def record_versions(
    connection: AsyncConnection, new: Sequence[NewVersion], *, now: datetime
) -> list[int]:
    """Record versions in the caller's transaction and return their ids.

    Each becomes present at its place and canonical for its file; what was so before is so no more.
    """
    if not new:
        return []
    file_ids, fresh = await store.ensure_files(connection, [one.name for one in new])
    known = [one for one in new if one.name not in fresh]
    if known:
        places = [(file_ids[one.name], one.location.root_id, one.location.path) for one in known]
        ids_known = sorted({place[0] for place in places})
        await store.retire_present(connection, places, ids_known)
        await store.delete_frames(connection, ids_known)
    ids = await store.next_version_ids(connection, len(new))
    last = {one.name: position for position, one in enumerate(new)}
    series = [series_of(one.values) for one in new]
    rows = [
        _version_row(one, ids[at], file_ids[one.name], now, series=series[at], canonical=last[one.name] == at)
        for at, one in enumerate(new)
    ]
    await store.ensure_series(connection, {one.id: one for one in series if one})
    await store.copy_rows(connection, version, VERSION_ROW, rows)
    positions = _positions([one.frame for one in new])
    frames = [
        _frame_row(new[at], ids[at], file_ids[name], hpx=positions[at], series=series[at])
        for name, at in last.items()
    ]
    await store.copy_rows(connection, frame, FRAME_ROW, frames)
    return ids


def _version_row(
    one: NewVersion,
    version_id: int,
    file_id: int,
    now: datetime,
    *,
    series: CatalogSeries | None,
    canonical: bool,
) -> tuple[Any, ...]:
    values = {
        "id": version_id,
        "file_id": file_id,
        "root_id": one.location.root_id,
        "path": one.location.path,
        "filename": one.location.filename,
        "container": one.container,
        "present": True,
        "canonical": canonical,
        "file_size": one.file_size,
        "data_size": one.data_size,
        "file_crc": to_signed(one.file_crc),
        "data_crc": to_signed(one.data_crc),
        "mtime_ns": one.mtime_ns,
        "identity": one.identity,
        "lastmod": datetime.fromtimestamp(one.mtime_ns / 1e9, UTC),
        "entrytime": now,
        "layout": json.dumps(hdus_to_json(one.hdus, one.trailing, one.trailing_crc)),
        "headers": pack_headers(one.headers, series),
        "series_id": series.id if series else None,
        "origin": one.origin,
        "previous_id": one.previous_id,
        "undo": one.undo,
        **one.digests,
    }
    return tuple(values.get(name) for name in VERSION_ROW)


def _frame_row(
    one: NewVersion, version_id: int, file_id: int, *, hpx: int | None, series: CatalogSeries | None
) -> tuple[Any, ...]:
    known = one.frame
    values: dict[str, Any] = {name: clean(getattr(known, name)) for name in _HOT}
    details = {name: value for name in _DETAILS if (value := getattr(known, name)) is not None}
    values |= {
        "file_id": file_id,
        "version_id": version_id,
        "hpx": hpx,
        "details": to_json(details),
        "warnings": [clean(warning) for warning in known.warnings],
        "keywords": _keywords(one, series),
        "series_id": series.id if series else None,
    }
    return tuple(values[name] for name in FRAME_ROW)


def _keywords(one: NewVersion, series: CatalogSeries | None) -> str:
    if series and one.values:
        return own_keywords(one.values, series)
    headers = one.values.headers if one.values else tuple(map(read_values, one.headers))
    return to_json(searchable_keywords(headers))


def _positions(frames: Sequence[Frame]) -> list[int | None]:
    """Return the HEALPix index of every frame that has coordinates, by one call of the library."""
    known = [(at, one.ra_deg, one.dec_deg) for at, one in enumerate(frames)]
    placed = [(at, ra, dec) for at, ra, dec in known if ra is not None and dec is not None]
    indices = healpix_indices(np.array([ra for _, ra, _ in placed]), np.array([dec for *_, dec in placed]))
    found: list[int | None] = [None] * len(frames)
    for (at, *_), index in zip(placed, indices.tolist(), strict=True):
        found[at] = index
    return found
