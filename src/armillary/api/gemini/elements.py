"""The elements of the JSON lists: keys and order of header-updates specification, section 7.1.

A list is written column by column: all values of a key at once, by loops that are not Python's, since a
list has thousands of elements of sixty values. The bytes are those of `json.dumps`; clients compare them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date

from armillary.api.gemini.tags import SPEAKING, tags
from armillary.archive.fields import POINTING
from armillary.archive.query.service import Column, Listing

_encode = json.JSONEncoder(check_circular=False).encode
COMPRESSED = ("bz2", "gz")
TAGS = "tags"

Writer = Callable[[Column], Iterable[str]]
Keys = Mapping[str, tuple[str, Writer]]
"""Key of an element to the value that it shows, and how a column of such values is written."""


class _Known(dict[object, str]):
    """JSON of the values met so far: most of them come again and again."""

    def __missing__(self, value: object) -> str:
        found = self[value] = _encode(value)
        return found


def _words(column: Column) -> Iterable[str]:
    return map(_Known().__getitem__, column)


def _numbers(column: Column) -> Iterable[str]:
    """Write numbers, truth values and nulls: there is no comma inside of them."""
    return _encode(column)[1:-1].split(", ")


def _instants(column: Column) -> Iterable[str]:
    """Write instants, which the driver gives in UTC, with a blank between date and time and the offset behind."""
    return ["null" if value is None else f'"{value}"' for value in column]


def _observed(column: Column) -> Iterable[str]:
    """Write instants without their offset: so are those of observations there, other than those of files."""
    return ["null" if value is None else f'"{str(value).removesuffix("+00:00")}"' for value in column]


def _days(column: Column) -> Iterable[str]:
    days: Iterable[date | None] = column
    return _words([value.isoformat() if value else None for value in days])


def _compressed(column: Column) -> Iterable[str]:
    return _numbers([container in COMPRESSED for container in column])


def _nulls(column: Column) -> Iterable[str]:
    return ["null"] * len(column)


NAMES: Keys = {"name": ("name", _words)}
FILES: Keys = {
    "name": ("name", _words),
    "filename": ("filename", _words),
    "path": ("path", _words),
    "compressed": ("container", _compressed),
    "file_size": ("file_size", _numbers),
    "data_size": ("data_size", _numbers),
    "file_md5": ("file_md5", _words),
    "data_md5": ("data_md5", _words),
    "lastmod": ("lastmod", _instants),
    "mdready": ("mdready", _numbers),
    "entrytime": ("entrytime", _instants),
    "present": ("present", _numbers),
    "canonical": ("canonical", _numbers),
    "size": ("file_size", _numbers),
    "md5": ("file_md5", _words),
    "pending_ingest": ("pending", _numbers),
}
SUMMARIES: Keys = {
    **FILES,
    "program_id": ("program", _words),
    "engineering": ("engineering", _numbers),
    "science_verification": ("science_verification", _numbers),
    "processing": ("processing", _words),
    "calibration_program": ("calibration_program", _numbers),
    "observation_id": ("observation_id", _words),
    "observation_type": ("observation_type", _words),
    "observation_class": ("observation_class", _words),
    "data_label": ("data_label", _words),
    "telescope": ("telescope", _words),
    "instrument": ("instrument", _words),
    "ut_datetime": ("started_at", _observed),
    "local_time": ("local_time", _words),
    "object": ("object", _words),
    "ra": ("ra_deg", _numbers),
    "dec": ("dec_deg", _numbers),
    "azimuth": ("azimuth_deg", _numbers),
    "elevation": ("elevation_deg", _numbers),
    "cass_rotator_pa": ("rotator_deg", _numbers),
    "airmass": ("airmass", _numbers),
    "filter_name": ("filter", _words),
    "exposure_time": ("exposure_s", _numbers),
    "disperser": ("disperser", _words),
    "camera": ("camera", _words),
    "central_wavelength": ("central_wavelength_um", _numbers),
    "wavelength_band": ("wavelength_band", _words),
    "focal_plane_mask": ("focal_plane_mask", _words),
    "detector_binning": ("binning", _words),
    "detector_gain_setting": ("gain_setting", _words),
    "detector_roi_setting": ("roi_setting", _words),
    "detector_readspeed_setting": ("readspeed_setting", _words),
    "detector_welldepth_setting": ("welldepth_setting", _words),
    "detector_readmode_setting": ("readmode_setting", _words),
    "spectroscopy": ("spectroscopy", _numbers),
    "mode": ("mode", _words),
    "adaptive_optics": ("adaptive_optics", _numbers),
    "laser_guide_star": ("laser_guide_star", _numbers),
    "wavefront_sensor": ("wavefront_sensor", _words),
    "gcal_lamp": ("gcal_lamp", _words),
    **{
        f"{kind}_{name}": (f"{kind}_{name}", _numbers)
        for kind in ("raw", "requested")
        for name in ("iq", "cc", "wv", "bg")
    },
    "qa_state": ("qa_state", _words),
    "release": ("release", _days),
    "reduction": ("reduction", _words),
    "types": (TAGS, _words),
    # Which frames show photometric standards is not in the catalog.
    "phot_standard": ("name", _nulls),
}
COMPUTED = frozenset({"compressed", "pending_ingest", "types", "phot_standard"})
"""Keys whose values are no field of the catalog: nothing can be sorted by them."""
STATES: Keys = {
    "data_label": ("data_label", _words),
    "filename": ("filename", _words),
    "data_md5": ("data_md5", _words),
    "entrytime": ("entrytime", _instants),
    "qa_state": ("qa_state", _words),
}


def elements(listing: Listing, keys: Keys) -> list[str]:
    """Return the elements of a list, each as the text of a JSON object."""
    if not listing.rows:
        return []
    values = _values(listing, [name for name, _ in keys.values()])
    template = "{" + ", ".join(f'"{key}": %s' for key in keys) + "}"
    written = {(name, write): list(write(values[name])) for name, write in keys.values()}
    columns = [written[shown] for shown in keys.values()]
    return list(map(template.__mod__, zip(*columns, strict=True)))


def _values(listing: Listing, names: list[str]) -> dict[str, Column]:
    """Return the columns of a list, nulls where the viewer may not know a position."""
    if TAGS not in names:
        return listing.columns(names)
    values = listing.columns({*names, *SPEAKING, "coordinates_visible"} - {TAGS})
    values[TAGS] = list(map(tags, *(values[name] for name in SPEAKING)))
    shown = values["coordinates_visible"]
    if not all(shown):
        for name in POINTING:
            values[name] = [value if seen else None for value, seen in zip(values[name], shown, strict=True)]
    return values
