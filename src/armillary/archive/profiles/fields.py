"""What every field of a frame is, and between which limits a value of it is credible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "number", "count", "flag", "day", "instant", "time", "percentile", "binning"]


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Kind of a field; ``low`` and ``high`` bound numbers, ``turn`` wraps angles to 0..360 degrees."""

    kind: Kind
    low: float = float("-inf")
    high: float = float("inf")
    turn: bool = False


_TEXT = (
    "site telescope instrument filter object program observation_id data_label observation_type "
    "observation_class observer user_id username reduction processing mode disperser camera "
    "focal_plane_mask pupil_mask wavelength_band wavefront_sensor gcal_lamp gain_setting "
    "readspeed_setting readmode_setting welldepth_setting roi_setting"
)
_FLAGS = (
    "proprietary_coordinates engineering science_verification calibration_program site_monitoring "
    "spectroscopy adaptive_optics laser_guide_star"
)
_PERCENTILES = "raw_iq raw_cc raw_wv raw_bg requested_iq requested_cc requested_wv requested_bg"

FIELDS: dict[str, FieldRule] = {
    **{name: FieldRule("text") for name in _TEXT.split()},
    **{name: FieldRule("flag") for name in _FLAGS.split()},
    **{name: FieldRule("percentile") for name in _PERCENTILES.split()},
    "binning": FieldRule("binning"),
    "started_at": FieldRule("instant"),
    "ended_at": FieldRule("instant"),
    "local_time": FieldRule("time"),
    "night": FieldRule("day"),
    "release": FieldRule("day"),
    "exposure_s": FieldRule("number", 0.0, 1e8),
    "coadds": FieldRule("count", 0, 2**31 - 1),
    "azimuth_deg": FieldRule("number", -720.0, 720.0, turn=True),
    "elevation_deg": FieldRule("number", -90.0, 90.0),
    # A telescope at the zenith may report 0.9999 by refraction; 40 is the horizon (Kasten and Young 1989).
    "airmass": FieldRule("number", 0.99, 40.0),
    "rotator_deg": FieldRule("number", -1080.0, 1080.0),
    "central_wavelength_um": FieldRule("number", 1e-6, 1e6),
}
"""Fields that sources fill; positions, quality and warnings have rules of their own."""
