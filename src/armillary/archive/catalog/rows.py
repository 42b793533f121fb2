"""New versions as rows of the catalog, made without the database: by whoever has read the headers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from operator import itemgetter
from typing import Any, NamedTuple

from armillary.archive.catalog.keywords import clean, searchable_keywords, to_json
from armillary.archive.catalog.models import HduRecord, Location, Version, hdus_to_json, to_signed
from armillary.archive.catalog.series import CatalogSeries, SeriesRow, own_keywords, pack_headers, series_of
from armillary.archive.fields import FRAME_FIELDS, HOT, UNTOLD, Fields
from armillary.fits.header import read_values
from armillary.fits.models import Value
from armillary.fits.records import record_values
from armillary.fits.series import HeaderValues

_HOT = tuple(one.name for one in HOT)
_DETAILS = tuple(one.name for one in FRAME_FIELDS if not one.hot)
_DIGESTS = ("file_md5", "data_md5", "file_sha256", "data_sha256")
VERSION = (
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
FRAME = (*_HOT, "details", "warnings", "keywords", "series_id")
_hot, _details = itemgetter(*_HOT), itemgetter(*_DETAILS)


class Rows(NamedTuple):
    """The rows of a version and of its frame, without what is known only when they are written."""

    version: tuple[Any, ...]
    frame: tuple[Any, ...]
    series: SeriesRow | None


class Entry(NamedTuple):
    """What is written of a new version; ``position`` is the HEALPix index of where it is on the sky.

    It is what another process may be given, for it is soon handed over.
    """

    name: str
    location: Location
    position: int | None
    rows: Rows


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

    @property
    def sky(self) -> tuple[float, float] | None:
        """Its position in degrees."""
        ra, dec = self.fields.get("ra_deg"), self.fields.get("dec_deg")
        return None if ra is None or dec is None else (ra, dec)

    def entry(self, position: int | None) -> Entry:
        """Return what is written of it."""
        return Entry(self.name, self.location, position, self.rows)

    def with_rows(self) -> NewVersion:
        """Return it with its rows made, and without the values of the headers, which only they needed.

        So another process can take it over.
        """
        # A view of fields, as those of a file without any are, could not be handed over.
        light = dataclasses.replace(self, values=None, fields=dict(self.fields))
        vars(light)["rows"] = self.rows
        return light


def positions_of(skies: Sequence[tuple[float, float] | None]) -> list[int | None]:
    """Return the HEALPix index of every position in degrees, by one call of the library."""
    placed = [(at, *one) for at, one in enumerate(skies) if one is not None]
    found: list[int | None] = [None] * len(skies)
    if not placed:
        return found
    # Only here: who only reads the catalog, or writes what children have seen, needs neither.
    import numpy as np

    from armillary.sky.healpix import healpix_indices

    indices = healpix_indices(np.array([ra for _, ra, _ in placed]), np.array([dec for *_, dec in placed]))
    for (at, *_), index in zip(placed, indices.tolist(), strict=True):
        found[at] = index
    return found


def _rows_of(one: NewVersion) -> Rows:
    series = series_of(one.values)
    series_row = series.row if series else None
    series_id = series_row.id if series_row else None
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
    return Rows(version_row, frame_row, series_row)


def _keywords(one: NewVersion, series: CatalogSeries | None) -> str:
    records: dict[str, Value] = {}
    for raw in one.headers:
        records = record_values(raw) | records
    if series and one.values:
        return own_keywords(one.values, series, records)
    headers = one.values.headers if one.values else tuple(map(read_values, one.headers))
    return to_json({**records, **searchable_keywords(headers)})
