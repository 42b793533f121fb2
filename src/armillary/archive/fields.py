"""Every field of a frame, stated once: what it is, in which unit, where it is kept, how it is found.

The table of frames, the values of profiles, conditions, the embargo of positions, the options of
`armillary search` and the parameters of `/v1/frames` follow from this list. A new field needs a line here, a
source in a profile and, if it has a column, a migration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Literal

from armillary.archive.models import QaState

Kind = Literal["text", "number", "count", "flag", "day", "instant", "time", "percentile", "binning"]
_ORDER = ("text", "flag", "percentile", "binning", "instant", "time", "day", "number", "count")
_INFINITE = float("inf")
_TYPES: Mapping[str, type[str | float | date | datetime | bool]] = {
    "text": str,
    "number": float,
    "day": date,
    "instant": datetime,
    "flag": bool,
}


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Kind of a value; ``low`` and ``high`` bound credible numbers, ``turn`` wraps angles to 0..360 degrees."""

    kind: Kind
    low: float = -_INFINITE
    high: float = _INFINITE
    turn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameField:
    """One value of a frame.

    Parameters
    ----------
    name
        What it is called everywhere but in the dialects of others.
    rule
        Its kind, and which values are credible.
    hot
        Whether it has a column of its own; the others are kept together in ``details``.
    pointing
        Whether it tells where the telescope pointed: it is hidden while positions are proprietary.
    sourced
        Whether profiles say from which keywords it comes; the others follow from several of them.
    asked
        By which parameters `/v1/frames` and `armillary search` look for it: one for an equal value, two for the
        bounds between which it lies.
    default
        What it is where a file does not tell.
    unit
        In the notation of VOUnits.
    ucd, obscore
        What the Virtual Observatory calls it (UCD1+, ObsCore 1.1), where it has a word.
    """

    name: str
    rule: FieldRule
    hot: bool = False
    pointing: bool = False
    sourced: bool = True
    asked: tuple[str, ...] = ()
    default: Any = None
    unit: str = ""
    ucd: str = ""
    obscore: str = ""

    @property
    def kind(self) -> Kind:
        """What sort of value it is."""
        return self.rule.kind


def _field(
    name: str,
    kind: Kind = "text",
    low: float = -_INFINITE,
    high: float = _INFINITE,
    *,
    turn: bool = False,
    **more: Any,
) -> FrameField:
    return FrameField(name=name, rule=FieldRule(kind, low, high, turn), **more)


def _hot(
    name: str, kind: Kind = "text", low: float = -_INFINITE, high: float = _INFINITE, **more: Any
) -> FrameField:
    return _field(name, kind, low, high, hot=True, **more)


FRAME_FIELDS: tuple[FrameField, ...] = (
    _hot("site", asked=("site",), ucd="meta.id;instr.obsty"),
    _hot("telescope", asked=("telescope",), ucd="meta.id;instr.tel", obscore="facility_name"),
    _hot("instrument", asked=("instrument",), ucd="meta.id;instr", obscore="instrument_name"),
    _hot("night", "day", asked=("night", "night_until"), ucd="time.epoch"),
    _hot("started_at", "instant", asked=("since", "until"), ucd="time.start;obs.exposure", obscore="t_min"),
    _hot("ended_at", "instant", ucd="time.end;obs.exposure", obscore="t_max"),
    _field("local_time", "time"),
    _hot(
        "exposure_s",
        "number",
        0.0,
        1e8,
        asked=("exposure_min_s", "exposure_max_s"),
        unit="s",
        ucd="time.duration;obs.exposure",
        obscore="t_exptime",
    ),
    _field("coadds", "count", 0, 2**31 - 1, ucd="meta.number"),
    _hot("filter", asked=("filter",), ucd="meta.id;instr.bandpass"),
    _hot("object", asked=("object",), pointing=True, ucd="meta.id;src", obscore="target_name"),
    _hot("ra_deg", "number", sourced=False, pointing=True, unit="deg", ucd="pos.eq.ra", obscore="s_ra"),
    _hot("dec_deg", "number", sourced=False, pointing=True, unit="deg", ucd="pos.eq.dec", obscore="s_dec"),
    _field("azimuth_deg", "number", -720.0, 720.0, turn=True, pointing=True, unit="deg", ucd="pos.az.azi"),
    _field("elevation_deg", "number", -90.0, 90.0, pointing=True, unit="deg", ucd="pos.az.alt"),
    # A telescope at the zenith may report 0.9999 by refraction; 40 is the horizon (Kasten and Young 1989).
    _hot("airmass", "number", 0.99, 40.0, pointing=True, ucd="obs.airMass"),
    _field("rotator_deg", "number", -1080.0, 1080.0, pointing=True, unit="deg", ucd="pos.posAng"),
    _hot("program", asked=("program",), ucd="meta.id;obs.proposal", obscore="proposal_id"),
    _hot("observation_id", asked=("observation_id",), ucd="meta.id", obscore="obs_id"),
    _hot("data_label", asked=("data_label",), ucd="meta.id"),
    _hot("observation_type", asked=("observation_type",), ucd="meta.code.class"),
    _hot("observation_class", ucd="meta.code.class"),
    _field("observer", ucd="obs.observer"),
    _field("user_id"),
    _field("username"),
    _hot("reduction", ucd="meta.code.class"),
    _hot(
        "qa_state",
        sourced=False,
        asked=("qa_state",),
        default=QaState.UNDEFINED,
        ucd="meta.code.qual",
    ),
    _hot("raw_iq", "percentile"),
    _hot("raw_cc", "percentile"),
    _hot("raw_wv", "percentile"),
    _hot("raw_bg", "percentile"),
    _field("requested_iq", "percentile"),
    _field("requested_cc", "percentile"),
    _field("requested_wv", "percentile"),
    _field("requested_bg", "percentile"),
    _hot("release", "day", ucd="time.release", obscore="obs_release_date"),
    _hot("proprietary_coordinates", "flag", default=False),
    _hot("engineering", "flag", default=False),
    _hot("science_verification", "flag", default=False),
    _hot("calibration_program", "flag", default=False),
    _field("site_monitoring", "flag", default=False),
    _field("processing"),
    _field("mode"),
    _field("spectroscopy", "flag"),
    _field("disperser", ucd="meta.id;instr.dispersion"),
    _field("camera", ucd="meta.id;instr.det"),
    _field("focal_plane_mask"),
    _field("pupil_mask"),
    _field("binning", "binning"),
    _field("central_wavelength_um", "number", 1e-6, 1e6, unit="um", ucd="em.wl.central"),
    _field("wavelength_band"),
    _field("adaptive_optics", "flag"),
    _field("laser_guide_star", "flag"),
    _field("wavefront_sensor"),
    _field("gcal_lamp"),
    _field("gain_setting"),
    _field("readspeed_setting"),
    _field("readmode_setting"),
    _field("welldepth_setting"),
    _field("roi_setting"),
    _hot("profile", sourced=False, default="generic"),
)
"""In the order in which answers show those that have columns. Instants are aware UTC. Positions are ICRS degrees;
azimuths run from north through east. Percentiles are 20 to 85, or 100 for "Any"."""

BY_NAME: Mapping[str, FrameField] = MappingProxyType({one.name: one for one in FRAME_FIELDS})
HOT = tuple(one for one in FRAME_FIELDS if one.hot)
POINTING = frozenset(one.name for one in FRAME_FIELDS if one.pointing)
"""Fields that tell where a telescope pointed: they show and find nothing that the caller may not know."""

# Fields that need the start of the exposure come after it; warnings are told in this order, too.
SOURCED: Mapping[str, FieldRule] = MappingProxyType(
    {
        one.name: one.rule
        for one in sorted(FRAME_FIELDS, key=lambda one: _ORDER.index(one.kind))
        if one.sourced
    }
)
"""Fields that profiles have sources for."""

Fields = Mapping[str, Any]
"""What a file tells of its frame, by name; an absent field has its default."""

UNTOLD: Fields = MappingProxyType({**{one.name: one.default for one in FRAME_FIELDS}, "warnings": ()})
"""The fields of the frame of a file that tells nothing."""


_OPTIONS = {
    "data_label": "label",
    "observation_type": "type",
    "qa_state": "qa",
    "exposure_min_s": "exposure-min",
    "exposure_max_s": "exposure-max",
}


@dataclass(frozen=True, slots=True)
class Criterion:
    """One word of those who ask: its name, what it is given as, and what is said of it beyond the name."""

    name: str
    type: type[str | int | float | date | datetime | bool]
    text: str = ""

    @property
    def option(self) -> str:
        """What it is called on the command line, without the dashes."""
        return _OPTIONS.get(self.name, self.name.replace("_", "-"))


WARNINGS = "warnings"
UNREAD = _field(WARNINGS, "flag", sourced=False, asked=(WARNINGS,))
"""Whether something in the headers of a file could not be read; the texts of the warnings say what."""

GROUPS = tuple(one.name for one in FRAME_FIELDS if one.kind == "text")
"""Fields whose value is a word: the latest frames can be asked for per value of each."""

CRITERIA = (
    *(Criterion(name, _TYPES[field.kind]) for field in (*FRAME_FIELDS, UNREAD) for name in field.asked),
    Criterion(
        "finding", str, "Frames in whose headers a check found this: a rule, a group, a severity, or any."
    ),
    Criterion("during", str, "START/END: exposures that overlap this interval; .. leaves a side open."),
    Criterion("latest", int, "The newest so many frames of every value of the field `per`."),
    Criterion("per", str, "The field by which `latest` groups frames, such as site or instrument."),
)
"""All of them, besides the name of the file, a cone, conditions on keywords, and a selection.

First those about one field each: a value of it, or one of its two bounds.
"""
