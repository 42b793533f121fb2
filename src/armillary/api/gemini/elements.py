"""The elements of the JSON lists: keys and order of header-updates specification, section 7.1."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from armillary.archive.tags import tags_of

Row = Mapping[str, Any]
COMPRESSED = ("bz2", "gz")
HIDDEN = ("object", "ra", "dec", "azimuth", "elevation", "cass_rotator_pa", "airmass")

_FRAME = {
    "program_id": "program",
    "engineering": "engineering",
    "science_verification": "science_verification",
    "processing": "processing",
    "calibration_program": "calibration_program",
    "observation_id": "observation_id",
    "observation_type": "observation_type",
    "observation_class": "observation_class",
    "data_label": "data_label",
    "telescope": "telescope",
    "instrument": "instrument",
    "ut_datetime": "started_at",
    "local_time": "local_time",
    "object": "object",
    "ra": "ra_deg",
    "dec": "dec_deg",
    "azimuth": "azimuth_deg",
    "elevation": "elevation_deg",
    "cass_rotator_pa": "rotator_deg",
    "airmass": "airmass",
    "filter_name": "filter",
    "exposure_time": "exposure_s",
    "disperser": "disperser",
    "camera": "camera",
    "central_wavelength": "central_wavelength_um",
    "wavelength_band": "wavelength_band",
    "focal_plane_mask": "focal_plane_mask",
    "detector_binning": "binning",
    "detector_gain_setting": "gain_setting",
    "detector_roi_setting": "roi_setting",
    "detector_readspeed_setting": "readspeed_setting",
    "detector_welldepth_setting": "welldepth_setting",
    "detector_readmode_setting": "readmode_setting",
    "spectroscopy": "spectroscopy",
    "mode": "mode",
    "adaptive_optics": "adaptive_optics",
    "laser_guide_star": "laser_guide_star",
    "wavefront_sensor": "wavefront_sensor",
    "gcal_lamp": "gcal_lamp",
    **{
        f"{kind}_{name}": f"{kind}_{name}"
        for kind in ("raw", "requested")
        for name in ("iq", "cc", "wv", "bg")
    },
    "qa_state": "qa_state",
    "release": "release",
    "reduction": "reduction",
}
"""Key of a summary to the value of a frame, in the order of the specification."""

_KEYS, _NAMES = tuple(_FRAME), tuple(_FRAME.values())


def file_element(row: Row) -> dict[str, Any]:
    """Return an element of ``/jsonfilelist``."""
    return {
        "name": row["name"],
        "filename": row["filename"],
        "path": row["path"],
        "compressed": row["container"] in COMPRESSED,
        "file_size": row["file_size"],
        "data_size": row["data_size"],
        "file_md5": row["file_md5"],
        "data_md5": row["data_md5"],
        "lastmod": _instant(row["lastmod"]),
        "mdready": row["mdready"],
        "entrytime": _instant(row["entrytime"]),
        "present": row["present"],
        "canonical": row["canonical"],
        "size": row["file_size"],
        "md5": row["file_md5"],
        "pending_ingest": row["pending"],
    }


def name_element(row: Row) -> dict[str, Any]:
    """Return an element of ``/jsonfilenames``."""
    return {"name": row["name"]}


def summary_element(row: Row) -> dict[str, Any]:
    """Return an element of ``/jsonsummary``.

    Which frames show photometric standards is not in the catalog: ``phot_standard`` is null.
    """
    element = file_element(row)
    # A list has thousands of elements of sixty values each: they are picked by one loop that is not Python's.
    element.update(zip(_KEYS, map(row.get, _NAMES), strict=True))
    element["ut_datetime"], element["release"] = _instant(row["started_at"]), _day(row["release"])
    if not row["coordinates_visible"]:
        element |= dict.fromkeys(HIDDEN)
    element["types"], element["phot_standard"] = tags_of(row), None
    return element


def state_element(row: Row) -> dict[str, Any]:
    """Return an element of ``/jsonqastate``."""
    return {
        "data_label": row["data_label"],
        "filename": row["filename"],
        "data_md5": row["data_md5"],
        "entrytime": _instant(row["entrytime"]),
        "qa_state": row["qa_state"],
    }


def _instant(value: datetime | None) -> str | None:
    """Return an instant as text in UTC, with a blank between date and time."""
    if value is None:
        return None
    # Those of the database are in UTC, and 6000 of them are in a list.
    return (value if value.tzinfo is UTC else value.astimezone(UTC)).isoformat(" ").removesuffix("+00:00")


def _day(value: date | None) -> str | None:
    return value.isoformat() if value else None


Element = Callable[[Row], dict[str, Any]]
