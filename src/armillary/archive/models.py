"""The words of the archive: what the catalog knows of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any

MAX_PAGE = 1000
"""Most frames of one page."""


class QaState(StrEnum):
    """How far a frame can be trusted, as published."""

    UNDEFINED = "Undefined"
    PASS = "Pass"  # noqa: S105  (a quality word, not a password)
    USABLE = "Usable"
    FAIL = "Fail"
    CHECK = "CHECK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Typed, unit-named values of a file's canonical version; ``None`` is what the file does not tell.

    Instants are aware UTC. Positions are ICRS degrees. ``azimuth_deg`` runs from north through east.
    ``night`` is named by the convention of the site. ``release`` is the first public day; ``None`` means
    never public.
    Percentiles are 20 to 85, or 100 for "Any".
    """

    site: str | None = None
    telescope: str | None = None
    instrument: str | None = None
    night: date | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    local_time: time | None = None
    exposure_s: float | None = None
    coadds: int | None = None

    filter: str | None = None
    object: str | None = None
    ra_deg: float | None = None
    dec_deg: float | None = None
    azimuth_deg: float | None = None
    elevation_deg: float | None = None
    airmass: float | None = None
    rotator_deg: float | None = None

    program: str | None = None
    observation_id: str | None = None
    data_label: str | None = None
    observation_type: str | None = None
    observation_class: str | None = None
    observer: str | None = None
    user_id: str | None = None
    username: str | None = None

    qa_state: QaState = QaState.UNDEFINED
    raw_iq: int | None = None
    raw_cc: int | None = None
    raw_wv: int | None = None
    raw_bg: int | None = None
    requested_iq: int | None = None
    requested_cc: int | None = None
    requested_wv: int | None = None
    requested_bg: int | None = None

    release: date | None = None
    proprietary_coordinates: bool = False
    engineering: bool = False
    science_verification: bool = False
    calibration_program: bool = False
    site_monitoring: bool = False

    reduction: str | None = None
    processing: str | None = None
    mode: str | None = None
    spectroscopy: bool | None = None
    disperser: str | None = None
    camera: str | None = None
    focal_plane_mask: str | None = None
    pupil_mask: str | None = None
    binning: str | None = None
    central_wavelength_um: float | None = None
    wavelength_band: str | None = None
    adaptive_optics: bool | None = None
    laser_guide_star: bool | None = None
    wavefront_sensor: str | None = None
    gcal_lamp: str | None = None
    gain_setting: str | None = None
    readspeed_setting: str | None = None
    readmode_setting: str | None = None
    welldepth_setting: str | None = None
    roi_setting: str | None = None

    profile: str = "generic"
    warnings: tuple[str, ...] = ()


Fields = Mapping[str, Any]
"""What a file tells of its frame, by the names of `Frame`; an absent one has the value that `Frame` gives it."""

UNTOLD: Fields = {field.name: field.default for field in fields(Frame)}
"""The fields of the frame of a file that tells nothing."""


def fields_of_frame(frame: Frame) -> Fields:
    """Return all fields of a frame."""
    return {name: getattr(frame, name) for name in UNTOLD}
