"""Frames like those of a Gemini multi-object spectrograph: a primary header and four amplifiers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from armillary.demo import scene
from armillary.demo.pointing import Place, Pointing, Target, pointing, sexagesimal
from armillary.demo.writing import CardTuple, image_extension, plain_bytes, primary, write

PLACE = Place(-155.46904, 19.82380, 4213.0)
_SHAPE = 1024, 1024
_AMPLIFIERS = 4
_OVERSCAN = 32
_GAINS = (1.66, 1.63, 1.67, 1.61)
_PIXEL_DEG = 0.1614 / 3600


@dataclass(frozen=True, slots=True)
class Exposure:
    """One planned frame."""

    kind: str
    target: Target
    started_at: datetime
    exposure_s: float
    program: str
    observation: int
    step: int
    suffix: str = ""
    observation_class: str = "science"
    filter: str = "r_G0303"
    grating: str = "MIRROR"
    mask: str = "None"
    quality: tuple[str, str] = ("UNKNOWN", "UNKNOWN")
    conditions: tuple[str, str, str, str] = (
        "70-percentile",
        "50-percentile",
        "80-percentile",
        "50-percentile",
    )
    release: str = "2027-01-01"
    offset_arcsec: tuple[float, float] = (0.0, 0.0)


def make_gmos(path: Path, plan: Exposure, *, seed: int) -> Path:
    """Write one frame; the container is told by the end of the name."""
    rng = np.random.default_rng([seed, plan.observation, plan.step])
    counts = scene.exposed(
        _picture(plan, seed),
        rng,
        gain=_GAINS[0],
        cosmic_rays=int(plan.exposure_s / 6) if plan.exposure_s else 0,
    )
    where = pointing(plan.target, PLACE, plan.started_at)
    name = path.name.removesuffix(".bz2").removesuffix(".gz")
    hdus = [primary(_primary_cards(plan, where, name))]
    width = _SHAPE[1] // _AMPLIFIERS
    for index in range(_AMPLIFIERS):
        overscan = scene.BIAS_LEVEL + 5 * rng.standard_normal((_SHAPE[0], _OVERSCAN), dtype=np.float32)
        part = counts[:, index * width : (index + 1) * width]
        hdus.append(
            image_extension(_amplifier_cards(plan, index), np.hstack([part, overscan.astype(np.uint16)]))
        )
    return write(path, plain_bytes(hdus, checksum_date=plan.started_at.isoformat()[:19]))


def _picture(plan: Exposure, seed: int) -> scene.Image:
    field = seed + round(plan.target.ra_deg * 1000)
    match plan.kind:
        case "BIAS":
            return np.zeros(_SHAPE, np.float32)
        case "FLAT":
            return scene.flat_field(_SHAPE, 21000.0, field=seed)
        case "ARC":
            return scene.lamp_lines(_SHAPE, field=seed)
    if plan.grating != "MIRROR":
        return scene.long_slit(_SHAPE, 15 * plan.exposure_s**0.6, field=field)
    offset = plan.offset_arcsec[0] / 0.1614, plan.offset_arcsec[1] / 0.1614
    seeing = scene.Seeing(3.5 * plan.exposure_s, 3.9, plan.exposure_s / 60)
    return scene.star_field(_SHAPE, seeing, field=field, offset_px=offset, galaxy=plan.target.galaxy)


def _primary_cards(plan: Exposure, where: Pointing, name: str) -> list[CardTuple]:
    return [
        *_pointing_cards(plan, where),
        *_quality_cards(plan),
        *_instrument_cards(plan),
        ("FILENAME", name, "Name of this file"),
        ("HISTORY", "Drawn, not observed: stars, sky and noise are synthetic.", ""),
        ("HISTORY", "Keywords follow the practice of the observatory.", ""),
    ]


def _pointing_cards(plan: Exposure, where: Pointing) -> list[CardTuple]:
    observation_id = f"{plan.program}-{plan.observation}"
    ended_at = plan.started_at + timedelta(seconds=plan.exposure_s + 1.5)
    local = plan.started_at - timedelta(hours=10)
    return [
        ("ORIGIN", "Armillary demonstration night", "Not from a telescope"),
        ("DATE", plan.started_at.date().isoformat(), "Date of file creation (UTC)"),
        ("INSTRUME", "GMOS-N", "Instrument used to acquire data"),
        ("OBJECT", plan.target.name, "Object Name"),
        ("OBSTYPE", plan.kind, "Observation type"),
        ("OBSCLASS", plan.observation_class, "Observe class"),
        ("GEMPRGID", plan.program, "Gemini Science Program ID"),
        ("OBSID", observation_id, "Observation ID"),
        ("DATALAB", f"{observation_id}-{plan.step:03d}{plan.suffix}", "Datalabel"),
        ("OBSERVER", "A. Observer", "Observer"),
        ("OBSERVAT", "Gemini-North", "Observatory"),
        ("TELESCOP", "Gemini-North", "Telescope"),
        ("SSA", "B. Assistant", "SSA"),
        ("EPOCH", 2000.0, "Epoch for target coordinates"),
        ("EQUINOX", 2000.0, "Equinox for target coordinates"),
        ("FRAME", "FK5", "Target coordinate system"),
        ("RA", round(plan.target.ra_deg, 8), "[deg] RA of target"),
        ("DEC", round(plan.target.dec_deg, 8), "[deg] Declination of target"),
        ("ELEVATIO", round(where.elevation_deg, 6), "[deg] Elevation at start"),
        ("AZIMUTH", round(where.azimuth_deg, 6), "[deg] Azimuth at start"),
        ("CRPA", round((where.hour_angle_deg * 1.1) % 360 - 180, 4), "[deg] Cass rotator position angle"),
        ("HA", sexagesimal(where.hour_angle_deg / 15, sign=True), "Telescope hour angle"),
        ("LT", local.strftime("%H:%M:%S.0"), "Local time at start of observation"),
        ("UT", plan.started_at.strftime("%H:%M:%S.0"), "UTC at start of exposure"),
        ("UTSTART", plan.started_at.strftime("%H:%M:%S.0"), "UTC at start of exposure"),
        ("UTEND", ended_at.strftime("%H:%M:%S.0"), "UTC at end of observation"),
        ("DATE-OBS", plan.started_at.date().isoformat(), "UTC date of observation"),
        ("ST", sexagesimal(where.sidereal_deg / 15, digits=1), "Sidereal time at start"),
        ("AIRMASS", round(where.airmass, 3), "Mean airmass for the observation"),
        ("PA", 90.0, "[deg] Sky position angle at start"),
        ("XOFFSET", plan.offset_arcsec[1], "[arcsec] Telescope offset in x"),
        ("YOFFSET", plan.offset_arcsec[0], "[arcsec] Telescope offset in y"),
    ]


def _quality_cards(plan: Exposure) -> list[CardTuple]:
    iq, cc, wv, bg = plan.conditions
    return [
        ("RAWIQ", iq, "Raw Image Quality"),
        ("RAWCC", cc, "Raw Cloud Cover"),
        ("RAWWV", wv, "Raw Water Vapour/Transparency"),
        ("RAWBG", bg, "Raw Background"),
        ("RAWPIREQ", plan.quality[1], "PI Requirements Met"),
        ("RAWGEMQA", plan.quality[0], "Gemini Quality Assessment"),
        ("REQIQ", "70-percentile", "Requested Image Quality"),
        ("REQCC", "50-percentile", "Requested Cloud Cover"),
        ("REQWV", "Any", "Requested Water Vapour"),
        ("REQBG", "50-percentile", "Requested Background"),
    ]


def _instrument_cards(plan: Exposure) -> list[CardTuple]:
    return [
        ("TAMBIENT", 1.8, "[C] Ambient temperature"),
        ("PRESSURE", 462.1, "[mm Hg] Atmospheric pressure"),
        ("HUMIDITY", 12.0, "[%] Relative humidity"),
        ("AOFOLD", "park-pos.", "AO pick-off mirror position"),
        ("PWFS1_ST", "parked", "PWFS1 probe state"),
        ("PWFS2_ST", "parked", "PWFS2 probe state"),
        ("OIWFS_ST", "parked" if _indoors(plan) else "guiding", "OIWFS probe state"),
        ("GCALLAMP", {"ARC": "CuAr", "FLAT": "QH"}.get(plan.kind, "Off"), "GCAL lamp name"),
        ("FILTER1", "open1-6", "Filter 1 name"),
        ("FILTER2", plan.filter, "Filter 2 name"),
        ("GRATING", plan.grating, "Grating name"),
        ("CENTWAVE", 630.0 if plan.grating == "MIRROR" else 520.0, "[nm] Central wavelength"),
        ("MASKTYP", 0 if plan.grating == "MIRROR" else 1, "Mask/IFU type (0=none/-1=IFU/1=mask)"),
        ("MASKNAME", plan.mask, "Mask/IFU name"),
        ("EXPTIME", plan.exposure_s, "[s] Exposure time"),
        ("DETECTOR", "GMOS-N + Hamamatsu", "Detector name"),
        ("DETNROI", 1, "Number of regions of interest"),
        ("DETRO1YS", 2112, "ROI 1 size in y, binned pixels"),
        ("DETROXS", 3072, "ROI size in x, binned pixels"),
        ("AMPINTEG", 4000, "Amplifier integration time"),
        ("PROP_MD", False, "Proprietary metadata"),
        ("RELEASE", plan.release, "End of proprietary period YYYY-MM-DD"),
        ("NEXTEND", _AMPLIFIERS, "Number of extensions"),
    ]


def _indoors(plan: Exposure) -> bool:
    return plan.kind in ("BIAS", "ARC", "FLAT")


def _amplifier_cards(plan: Exposure, index: int) -> list[CardTuple]:
    width = _SHAPE[1] // _AMPLIFIERS
    first = index * width + 1
    return [
        ("EXTNAME", "SCI", "Name of this extension"),
        ("EXTVER", index + 1, "Number of this extension"),
        ("INHERIT", False, "Inherits global header"),
        ("AMPNAME", f"BI{5 + index}-{'left' if index % 2 else 'right'}", "Amplifier name"),
        ("CCDNAME", "BI5-36-4k-2", "CCD name"),
        ("CCDSUM", "2 2", "CCD sum (binning)"),
        ("GAIN", _GAINS[index], "[electron/adu] Amplifier gain"),
        ("RDNOISE", 4.1, "[electron] Read noise"),
        ("DATASEC", f"[1:{width},1:{_SHAPE[0]}]", "Section of data"),
        ("BIASSEC", f"[{width + 1}:{width + _OVERSCAN},1:{_SHAPE[0]}]", "Section of overscan"),
        ("DETSEC", f"[{2 * first - 1}:{2 * (first + width - 1)},1:{2 * _SHAPE[0]}]", "Section of detector"),
        ("BUNIT", "adu", "Unit of pixel values"),
        ("CTYPE1", "RA---TAN", "Projection of axis 1"),
        ("CTYPE2", "DEC--TAN", "Projection of axis 2"),
        ("CRVAL1", round(plan.target.ra_deg, 8), "[deg] RA at the reference pixel"),
        ("CRVAL2", round(plan.target.dec_deg, 8), "[deg] Dec at the reference pixel"),
        ("CRPIX1", _SHAPE[1] / 2 + 0.5 - index * width, "[pixel] Reference pixel, axis 1"),
        ("CRPIX2", _SHAPE[0] / 2 + 0.5, "[pixel] Reference pixel, axis 2"),
        ("CD1_1", -_PIXEL_DEG, "[deg/pixel]"),
        ("CD1_2", 0.0, "[deg/pixel]"),
        ("CD2_1", 0.0, "[deg/pixel]"),
        ("CD2_2", _PIXEL_DEG, "[deg/pixel]"),
        ("RADESYS", "FK5", "Frame of the coordinates"),
    ]
