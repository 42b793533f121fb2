"""Record new versions, many at once, with their frames: the one way into the catalog."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from operator import itemgetter
from types import MappingProxyType
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import file_store, store
from armillary.archive.catalog.file_store import Whereabouts
from armillary.archive.catalog.keywords import clean, searchable_keywords, to_json
from armillary.archive.catalog.models import HduRecord, Location, Version, hdus_to_json, to_signed
from armillary.archive.catalog.names import SHARED, FileKey, key_of
from armillary.archive.catalog.series import CatalogSeries, own_keywords, pack_headers, series_of
from armillary.archive.catalog.tables import frame, version
from armillary.archive.fields import FRAME_FIELDS, HOT, UNTOLD, Fields
from armillary.fits.header import read_values
from armillary.fits.models import Value
from armillary.fits.records import record_values
from armillary.fits.series import HeaderValues

_HOT = tuple(one.name for one in HOT)
_DETAILS = tuple(one.name for one in FRAME_FIELDS if not one.hot)
_DIGESTS = ("file_md5", "data_md5", "file_sha256", "data_sha256")
_VERSION = (
    *(
        "root_id",
        "path",
        "filename",
        "container",
        "present",
        "file_size",
        "data_size",
        "file_crc",
        "data_crc",
    ),
    *("mtime_ns", "identity", "lastmod", "layout", "headers", "series_id", "origin", "previous_id", "undo"),
    *_DIGESTS,
)
_FRAME = (*_HOT, "details", "warnings", "keywords", "series_id")
_FRAME_COLUMNS = ("file_id", "version_id", "hpx", "visibility", *_FRAME)
_NOWHERE: Mapping[Location, Whereabouts] = MappingProxyType({})
_hot, _details = itemgetter(*_HOT), itemgetter(*_DETAILS)


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a version and of its frame, without what is known only when they are written."""

    version: tuple[Any, ...]
    frame: tuple[Any, ...]
    series: CatalogSeries | None


@dataclass(frozen=True, kw_only=True)
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
    fields: Fields
    values: HeaderValues | None = None
    digests: Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    previous_id: int | None = None
    undo: str | None = None

    @classmethod
    def again(cls, known: Version, *, fields: Fields, values: HeaderValues) -> NewVersion:
        """Return a version that is on record, with what its headers say now."""
        return cls(
            name=known.name,
            location=known.location,
            container=known.container,
            file_size=known.file_size,
            data_size=known.data_size,
            file_crc=known.file_crc,
            data_crc=known.data_crc,
            mtime_ns=known.mtime_ns,
            identity=known.identity,
            hdus=known.hdus,
            trailing=known.trailing,
            trailing_crc=known.trailing_crc,
            headers=known.headers(),
            origin=known.origin,
            fields=fields,
            values=values,
            previous_id=known.previous_id,
            undo=known.undo,
        )

    @cached_property
    def rows(self) -> Rows:
        """Its rows; to be made by the thread that read the headers."""
        return _rows_of(self)


async def record_versions(
    connection: AsyncConnection,
    new: Sequence[NewVersion],
    *,
    now: datetime,
    moved: Mapping[Location, Whereabouts] = _NOWHERE,
) -> list[int]:
    """Record versions in the caller's transaction and return their ids.

    Each becomes present at its place and canonical for its file; what was so before is so no more. ``moved`` says
    where files were before that are known by their paths, and that have moved with their bytes.
    """
    if not new:
        return []
    # Before anything else is locked, as whoever changes the rules of a root does it.
    rules = await store.rules_of(connection, (one.location.root_id for one in new))
    keys = [key_of(one.name, one.location, rules[one.location.root_id][1]) for one in new]
    left = await _move(connection, {new[at].location: key for at, key in enumerate(keys)}, moved)
    file_ids, fresh = await file_store.ensure_files(connection, keys)
    known = [(one, key) for one, key in zip(new, keys, strict=True) if key not in fresh]
    if known:
        places = [(file_ids[key], one.location.root_id, one.location.path) for one, key in known] + left
        ids_known = sorted({place[0] for place in places})
        await store.retire_present(connection, places, ids_known)
        await store.delete_frames(connection, ids_known)
    # Drawn beforehand, since COPY tells no ids, and frames need those of their versions.
    ids = await store.next_version_ids(connection, len(new))
    # One batch may hold a file several times; what came last is the file.
    last = {key: position for position, key in enumerate(keys)}
    versions = [
        (ids[at], file_ids[keys[at]], last[keys[at]] == at, now, *one.rows.version)
        for at, one in enumerate(new)
    ]
    positions = _positions([one.fields for one in new])
    frames = [
        (file_ids[key], ids[at], positions[at], rules[new[at].location.root_id][0], *new[at].rows.frame)
        for key, at in last.items()
    ]
    series = [one.rows.series for one in new]
    await store.ensure_series(connection, {one.id: one for one in series if one})
    await store.copy_rows(
        connection, version, ("id", "file_id", "canonical", "entrytime", *_VERSION), versions
    )
    await store.copy_rows(connection, frame, _FRAME_COLUMNS, frames)
    # Only what is known by name alone can be in several places.
    if len(last) < len(new) or any(key.root_id == SHARED for _, key in known):
        await file_store.note_contested(connection, sorted(set(file_ids.values())))
    return ids


async def renew_frames(connection: AsyncConnection, renewed: Sequence[tuple[Version, NewVersion]]) -> None:
    """Give versions new frames, whose headers are read otherwise now; their bytes are the same."""
    rules = await store.rules_of(connection, (one.location.root_id for one, _ in renewed))
    await store.delete_frames(connection, [one.file_id for one, _ in renewed])
    positions = _positions([new.fields for _, new in renewed])
    rows = [
        (one.file_id, one.id, position, rules[one.location.root_id][0], *new.rows.frame)
        for (one, new), position in zip(renewed, positions, strict=True)
    ]
    series = [new.rows.series for _, new in renewed]
    await store.ensure_series(connection, {one.id: one for one in series if one})
    await store.copy_rows(connection, frame, _FRAME_COLUMNS, rows)


async def _move(
    connection: AsyncConnection, keys: Mapping[Location, FileKey], moved: Mapping[Location, Whereabouts]
) -> list[tuple[int, int, str]]:
    """Let files be where they are now, unless there is another already; return the places that they have left."""
    moves = [
        (one, keys[place]) for place, one in moved.items() if place in keys and keys[place].root_id != SHARED
    ]
    there = await file_store.move_files(connection, [(one.file_id, one.key, key) for one, key in moves])
    return [
        (one.file_id, one.location.root_id, one.location.path) for one, _ in moves if one.file_id in there
    ]


def _rows_of(one: NewVersion) -> Rows:
    series = series_of(one.values)
    series_id = series.id if series else None
    version_row = (
        one.location.root_id,
        one.location.path,
        one.location.filename,
        one.container,
        True,
        one.file_size,
        one.data_size,
        to_signed(one.file_crc),
        to_signed(one.data_crc),
        one.mtime_ns,
        one.identity,
        datetime.fromtimestamp(one.mtime_ns / 1e9, UTC),
        to_json(hdus_to_json(one.hdus, one.trailing, one.trailing_crc)),
        pack_headers(one.headers, series),
        series_id,
        one.origin,
        one.previous_id,
        one.undo,
        *map(one.digests.get, _DIGESTS),
    )
    fields = {**UNTOLD, **one.fields}
    details = zip(_DETAILS, _details(fields), strict=True)
    frame_row = (
        *[clean(value) if type(value) is str else value for value in _hot(fields)],
        to_json({name: value for name, value in details if value is not None}),
        [clean(warning) for warning in fields["warnings"]],
        _keywords(one, series),
        series_id,
    )
    return Rows(version_row, frame_row, series)


def _keywords(one: NewVersion, series: CatalogSeries | None) -> str:
    records: dict[str, Value] = {}
    for raw in one.headers:
        records = record_values(raw) | records
    if series and one.values:
        return own_keywords(one.values, series, records)
    headers = one.values.headers if one.values else tuple(map(read_values, one.headers))
    return to_json({**records, **searchable_keywords(headers)})


def _positions(frames: Sequence[Fields]) -> list[int | None]:
    """Return the HEALPix index of every frame that has coordinates, by one call of the library."""
    # Only here: who only reads the catalog needs neither.
    import numpy as np

    from armillary.sky.healpix import healpix_indices

    known = [(at, one.get("ra_deg"), one.get("dec_deg")) for at, one in enumerate(frames)]
    placed = [(at, ra, dec) for at, ra, dec in known if ra is not None and dec is not None]
    indices = healpix_indices(np.array([ra for _, ra, _ in placed]), np.array([dec for *_, dec in placed]))
    found: list[int | None] = [None] * len(frames)
    for (at, *_), index in zip(placed, indices.tolist(), strict=True):
        found[at] = index
    return found
