"""What the header of each image should say, from the state of the devices and the rules of the service alone.

Nothing is read back from samples, and nothing is imported that makes headers: an error that both made would not be
seen. A value that cannot be known is null, and its reason is told.
"""

from __future__ import annotations

from typing import Any

import msgspec

from armillary.demo.telemetry import astronomy
from armillary.demo.telemetry.astronomy import SECOND
from armillary.demo.telemetry.instruments import Detector
from armillary.demo.telemetry.plan import FLAT, Exposure, Plan
from armillary.demo.telemetry.state import State

Value = str | int | float | bool | None
Cards = dict[str, Value]
NOT_APPLICABLE, NEVER_SEEN, EXPIRED = "not_applicable", "never_seen", "expired"
_VIGNETTING = {0: "UNKNOWN", 1: "NO", 2: "PARTIALLY", 3: "FULLY"}
_ON_SKY = (
    *("RA", "DEC", "RADESYS", "ROTPA", "RASTART", "DECSTART", "RAEND", "DECEND"),
    *("HASTART", "HAEND", "AMSTART", "AMEND"),
)
"""Keywords that mean nothing where nobody tracks the sky."""
_LIT = tuple(
    f"CALIB {one}"
    for one in ("LASER MODE", "LASER WAVELENGTH", "LASER ENERGY", "LED NAME", "LED CURRENT", "LED EXPTIME")
)


class Expected(msgspec.Struct, frozen=True):
    """The header of one image: cards of the primary HDU and of each detector, and why some have no value.

    Floats are exact to a relative 1e-9, or to what a card of 20 characters can say of them.
    """

    instrument: str
    image_id: str
    day_obs: int
    seq_num: int
    moments: dict[str, int]
    primary: Cards
    detectors: dict[str, Cards]
    reasons: dict[str, str]


def truth_of(plan: Plan, state: State) -> list[Expected]:
    """Return what each header should say."""
    exposures = plan.exposures
    begins, stops = [one.begin for one in exposures], [one.stop for one in exposures]
    dates = {
        "DATE-OBS": astronomy.iso_ms(begins),
        "DATE-BEG": astronomy.iso_ms(begins),
        "DATE-END": astronomy.iso_ms(stops),
        "MJD-OBS": astronomy.mjd(begins),
        "MJD-BEG": astronomy.mjd(begins),
        "MJD-END": astronomy.mjd(stops),
        "NITE": astronomy.day_of(begins),
    }
    common = _constants(plan)
    known = {one.location: State.detector(plan.instrument, one) for one in plan.instrument.detectors}
    found = []
    for place, one in enumerate(exposures):
        at_its_time: Cards = {key: column[place] for key, column in dates.items()}  # type: ignore[index]
        found.append(_expected(plan, state, one, common | at_its_time, known))
    return found


def _expected(
    plan: Plan, state: State, one: Exposure, known: Cards, detectors: dict[str, dict[str, Any]]
) -> Expected:
    primary = known | _image(plan, state, one) | _sky(plan, state, one) | _devices(plan, state, one)
    reasons: dict[str, str] = {}
    if one.visit.tracking != "RADEC":
        reasons |= dict.fromkeys(_ON_SKY, NOT_APPLICABLE)
    if plan.instrument.has_encoders and one.visit.kind != FLAT:
        reasons |= dict.fromkeys(_LIT, NOT_APPLICABLE)
    if (reason := _no_seeing(state, one.start)) is not None:
        reasons["SEEING"] = reason
    primary |= dict.fromkeys(reasons)
    moments = {
        "integration_start": one.start,
        "shutter_open": one.start if one.opened is None else one.opened,
        "shutter_close": one.readout if one.closed is None else one.closed,
        "readout_start": one.readout,
        "readout_end": one.read,
        "end": one.end,
    }
    return Expected(
        plan.instrument.name,
        one.image_id,
        one.day_obs,
        one.number,
        moments,
        primary,
        {each.location: _detector(plan, state, one, each, detectors) for each in plan.instrument.detectors},
        reasons,
    )


def _constants(plan: Plan) -> Cards:
    site = plan.instrument.site
    x, y, z = astronomy.geocentric_m(site)
    devices = ["CAMERA", "MOUNT", "DOME"]
    devices += ["HEXAPOD", "ROTATOR"] if plan.instrument.has_encoders else ["OPTICS"]
    devices += ["SPECTROGRAPH"] if plan.instrument.gratings else []
    return {
        "TELESCOP": plan.instrument.telescope,
        "INSTRUME": plan.instrument.name,
        "OBSERVER": State.OBSERVER,
        "TIMESYS": "TAI",
        "OBS-LONG": site.lon_deg,
        "OBS-LAT": site.lat_deg,
        "OBS-ELEV": site.height_m,
        "OBSGEO-X": x,
        "OBSGEO-Y": y,
        "OBSGEO-Z": z,
        **{f"SIMULATE {one}": False for one in devices},
    }


def _image(plan: Plan, state: State, one: Exposure) -> Cards:
    keyed = State.keyed(one)
    return {
        "OBSID": one.image_id,
        "CAMCODE": plan.instrument.code,
        "CONTRLLR": plan.controller,
        "DAYOBS": one.day_obs,
        "SEQNUM": one.number,
        "CURINDEX": one.index,
        "MAXINDEX": one.of,
        "GROUPID": keyed["group_id"],
        "IMGTYPE": keyed["image_type"],
        "TESTTYPE": keyed["test_type"],
        "REASON": keyed["reason"],
        "PROGRAM": keyed["program"],
        "EXPTIME": one.exposure_s,
        "DARKTIME": state.dark_s(one),
        "SHUTTIME": state.shutter_s(one),
        "IMAGETAG": state.tag(one),
        "EMUIMAGE": "live",
        "OBSANNOT": state.annotation(one),
    }


def _second(t: int) -> int:
    """Return the whole second at an instant or before it: devices that speak once a second spoke then last."""
    return t // SECOND * SECOND


def _sky(plan: Plan, state: State, one: Exposure) -> Cards:
    ra, dec = state.target_deg(plan.visits.index(one.visit))
    # Pointing tells a hundred places a second.
    hundredth = SECOND // 100
    start = state.mount([one.start // hundredth * hundredth])
    end = state.mount([one.readout // hundredth * hundredth])
    hour_angle, airmass = state.status(_second(one.start))
    last_hour_angle, last_airmass = state.status(_second(one.readout))
    cards: Cards = {
        "OBJECT": one.visit.target,
        "TRACKSYS": one.visit.tracking,
        "RADESYS": "ICRS",
        "RA": ra,
        "DEC": dec,
        "ROTPA": float(start.rotation[0]),
        "RASTART": float(start.ra[0]),
        "DECSTART": float(start.dec[0]),
        "RAEND": float(end.ra[0]),
        "DECEND": float(end.dec[0]),
        "AZSTART": float(start.azimuth[0]),
        "ELSTART": float(start.elevation[0]),
        "AZEND": float(end.azimuth[0]),
        "ELEND": float(end.elevation[0]),
        "HASTART": hour_angle,
        "AMSTART": airmass,
        "HAEND": last_hour_angle,
        "AMEND": last_airmass,
    }
    if plan.instrument.has_encoders:
        cards["AZSTART"], cards["ELSTART"] = _between(state, one.start)
        cards["AZEND"], cards["ELEND"] = _between(state, one.readout)
        cards["ROTSTART"] = state.rotator(_second(one.start))
        cards["ROTEND"] = state.rotator(_second(one.readout))
    return cards


def _between(state: State, t: int) -> tuple[float, float]:
    """Return azimuth and elevation between two readings of the encoders."""
    before, after = state.encoders(_second(t)), state.encoders(_second(t) + SECOND)
    part = (t - _second(t)) / SECOND
    turn = (after[0] - before[0] + 180.0) % 360.0 - 180.0
    return (before[0] + turn * part) % 360.0, before[1] + (after[1] - before[1]) * part


def _devices(plan: Plan, state: State, one: Exposure) -> Cards:
    visit = one.visit
    weather = state.weather(_since(plan, one.start, State.WEATHER_S))
    azimuth, lower, upper = state.dome(_since(plan, one.start, State.DOME_S))
    seen = {visit.vignetting} | ({2} if one.darkened else set())
    cards: Cards = {
        "FILTER": visit.filter.name,
        "FILTBAND": visit.filter.band,
        "FILTSLOT": visit.filter.slot,
        "FOCUSZ": visit.focus_mm,
        "DOMEAZ": azimuth,
        "SHUTLOWR": lower,
        "SHUTUPPR": upper,
        "VIGNETTE": _VIGNETTING[max(seen)],
        "VIGN_MIN": _VIGNETTING[min(seen)],
        "AIRTEMP": weather["air_temperature"],
        "PRESSURE": weather["pressure"][0],
        "HUMIDITY": weather["humidity"],
        "WINDSPD": weather["wind_speed"],
        "WINDDIR": weather["wind_direction"],
        "SEEING": state.seeing(_measured(state, one.start)),
    }
    if visit.grating is not None:
        cards |= {
            "GRATING": visit.grating.name,
            "GRATBAND": visit.grating.band,
            "GRATSLOT": visit.grating.slot,
            "LINSPOS": visit.stage_mm,
            "INSTPORT": State.PORT,
            "ATM3PORT": State.M3_PORT,
        }
    if plan.instrument.has_encoders:
        cards["FOCUSZ"] = state.hexapod_um(_since(plan, one.readout, State.HEXAPOD_S)) / 1000.0
        cards |= dict(zip(_LIT, (*State.LASER.values(), *State.LED.values()), strict=True))
    return cards


def _since(plan: Plan, t: int, period_s: int) -> int:
    """Return when a device last spoke that speaks every so many seconds since the beginning of the night."""
    return plan.started + (t - plan.started) // (period_s * SECOND) * (period_s * SECOND)


def _measured(state: State, t: int) -> int:
    """Return when seeing was measured last, or would have been."""
    last = _since(state.plan, t, State.SEEING_S)
    while last > state.plan.started and not state.seeing_is_measured(last):
        last -= State.SEEING_S * SECOND
    return last


def _no_seeing(state: State, t: int) -> str | None:
    last = _measured(state, t)
    if not state.seeing_is_measured(last):
        return NEVER_SEEN
    return EXPIRED if last + State.SEEING_GOOD_S * SECOND < t else None


def _detector(
    plan: Plan, state: State, one: Exposure, detector: Detector, known: dict[str, dict[str, Any]]
) -> Cards:
    cards: Cards = {
        **known[detector.location],
        "PREH": detector.prescan,
        "OVERH": State.OVERSCAN[0],
        "OVERV": State.OVERSCAN[1],
        "DETSIZE": f"[1:{8 * detector.cols},1:{2 * detector.rows}]",
    }
    if not plan.instrument.has_encoders:
        for key in ("DETNUM", "RAFTNUM", "REBNUM", "GAIN", "RDNOISE"):
            del cards[key]
        return cards
    place = plan.instrument.detectors.index(detector)
    said = state.ccds(_since(plan, one.start, State.CCD_S))
    keys = {
        "temperature": "CCDTEMP",
        "set_point": "CCDTSET",
        "bias_voltage": "HVBIAS",
        "reb_temperature": "REBTEMP",
    }
    return cards | {key: float(said[field][place]) for field, key in keys.items()}
