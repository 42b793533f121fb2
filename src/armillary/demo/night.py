"""The demonstration night of 2026-01-01: what three telescopes did, and the files that remain of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from armillary.demo.gmos import PLACE, Exposure, make_gmos
from armillary.demo.imagers import SUTHERLAND, Shot, make_las_cumbres, make_photon_ranch
from armillary.demo.pointing import Target, zenith

NIGHT = "20260101"

_CRAB = Target("M 1", 83.6331, 22.0145)
_NGC2403 = Target("NGC 2403", 114.2142, 65.6026, galaxy=True)
_NGC891 = Target("NGC 891", 35.6392, 42.3491, galaxy=True)
_HZ44 = Target("G191-B2B", 76.3776, 52.8311)
_SA95 = Target("SA 95-190", 58.3000, 0.2750)
_NGC1365 = Target("NGC 1365", 53.4015, -36.1404, galaxy=True)
_NGC253 = Target("NGC 253", 11.8880, -25.2882, galaxy=True)
_DOR = Target("30 Doradus", 84.6767, -69.1009)
_WASP = Target("WASP-121", 107.6003, -39.0973)
_M42 = Target("M 42", 83.8221, -5.3911)
_M81 = Target("M 81", 148.8882, 69.0653, galaxy=True)
_M51 = Target("M 51", 202.4696, 47.1953, galaxy=True)
_FOCUS = Target("Focus star", 95.0, 34.0)

_Q, _LP = "GN-2025B-Q-101", "GN-2025B-LP-7"
_CAL, _ENG = "GN-CAL20260101", "GN-ENG20260101"
_PASS, _USABLE = ("USABLE", "YES"), ("USABLE", "NO")
_FAIL, _UNKNOWN = ("BAD", "NO"), ("UNKNOWN", "UNKNOWN")
_POOR = ("85-percentile", "80-percentile", "Any", "80-percentile")
_PUBLIC = "2026-01-01"

Maker = tuple[str, Callable[..., Path]]


def make_night(directory: Path, *, seed: int = 20260101) -> list[Path]:
    """Write the files of the night that are not there and return the paths of all, telescope by telescope.

    36 files of three instruments, plain, multi-extension, bzip2, gzip and tile-compressed, about 50 MB. The
    same seed gives the same bytes with the same versions of numpy and astropy.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name, make in _plans():
        # A file that is there is whole, and may have been edited.
        if not (directory / name).exists():
            make(directory / name, seed=seed)
    return [directory / name for name in night_names()]


def night_names() -> list[str]:
    """Return the names of the files of the night."""
    return [name for name, _ in _plans()]


def _plans() -> list[Maker]:
    return [*_gemini(), *_las_cumbres(), *_photon_ranch()]


def _at(text: str, day: int = 1) -> datetime:
    hour, minute = text.split(":")
    return datetime(2026, 1, day, int(hour), int(minute), tzinfo=UTC)


def _gemini() -> Iterator[Maker]:
    plans = [*_gemini_bias(), *_gemini_imaging(), *_gemini_spectra()]
    for number, (plan, ending) in enumerate(plans, 1):
        yield f"N{NIGHT}S{number:04d}.fits{ending}", partial(_make_gmos, plan)


def _make_gmos(plan: Exposure, path: Path, *, seed: int) -> Path:
    return make_gmos(path, plan, seed=seed)


def _gemini_bias() -> Iterator[tuple[Exposure, str]]:
    calibration = partial(
        Exposure, "BIAS", exposure_s=0.0, program=_CAL, observation=1,
        observation_class="dayCal", release=_PUBLIC, quality=_PASS,
    )  # fmt: skip
    for step, ending in enumerate((".bz2", ".bz2", ""), 1):
        when = _at("03:10") + timedelta(minutes=step)
        yield calibration(target=zenith("Bias", PLACE, when), started_at=when, step=step), ending


def _gemini_imaging() -> Iterator[tuple[Exposure, str]]:
    standard = Exposure("OBJECT", _SA95, _at("05:20"), 8.0, _CAL, 12, 1, observation_class="partnerCal")
    yield replace(standard, release=_PUBLIC, quality=_PASS), ""
    galaxy = Exposure("OBJECT", _NGC891, _at("05:40"), 120.0, _Q, 7, 1, quality=_PASS)
    yield galaxy, ""
    yield (
        replace(galaxy, started_at=_at("05:43"), step=2, quality=_UNKNOWN, offset_arcsec=(10.0, 5.0)),
        ".bz2",
    )
    yield (
        replace(galaxy, started_at=_at("05:46"), step=3, quality=_UNKNOWN, offset_arcsec=(-10.0, 5.0)),
        ".gz",
    )
    poor = Exposure("OBJECT", _NGC2403, _at("08:36"), 180.0, _LP, 21, 1, filter="g_G0301", conditions=_POOR)
    yield replace(poor, quality=_USABLE), ""
    yield replace(poor, started_at=_at("08:42"), step=2, filter="i_G0302", quality=_FAIL), ""


def _gemini_spectra() -> Iterator[tuple[Exposure, str]]:
    slit = partial(Exposure, grating="B600+_G5307", mask="0.75arcsec", filter="open2-8")
    crab = partial(slit, target=_CRAB, program=_Q, observation=9)
    flat = crab("FLAT", started_at=_at("09:42"), exposure_s=3.0, step=1, suffix="-FLAT")
    yield replace(flat, observation_class="partnerCal"), ""
    yield crab("OBJECT", started_at=_at("09:48"), exposure_s=600.0, step=2), ".bz2"
    arc = crab("ARC", started_at=_at("10:00"), exposure_s=60.0, step=3, suffix="-ARC")
    yield replace(arc, observation_class="progCal"), ""
    yield crab("OBJECT", started_at=_at("10:06"), exposure_s=600.0, step=4), ""
    star = slit("OBJECT", _HZ44, _at("10:50"), 90.0, _Q, 10, 1, observation_class="partnerCal")
    yield replace(star, release=_PUBLIC, quality=_PASS), ""
    focus = Exposure("OBJECT", _FOCUS, _at("11:20"), 5.0, _ENG, 3, 1, observation_class="acqCal")
    yield replace(focus, release=_PUBLIC, conditions=_POOR), ".bz2"
    yield replace(focus, started_at=_at("11:22"), step=2, release=_PUBLIC), ".gz"


def _las_cumbres() -> Iterator[Maker]:
    for ending, shot in [*_sutherland_calibrations(), *_sutherland_science()]:
        yield f"cpt1m010-fa14-{NIGHT}-{shot.number:04d}-{ending}", partial(_make_las_cumbres, shot)


def _make_las_cumbres(shot: Shot, path: Path, *, seed: int) -> Path:
    return make_las_cumbres(path, shot, seed=seed)


def _sutherland_calibrations() -> Iterator[tuple[str, Shot]]:
    plan = (
        ("b00.fits.fz", "BIAS", "16:30"),
        ("b00.fits", "BIAS", "16:31"),
        ("f00.fits.fz", "SKYFLAT", "17:50"),
    )
    for number, (ending, kind, time) in enumerate(plan, 1):
        when = _at(time)
        target = zenith("Calibration", SUTHERLAND.place, when)
        yield ending, Shot(kind, target, when, 4.0 if kind == "SKYFLAT" else 0.0, "rp", number)


def _sutherland_science() -> Iterator[tuple[str, Shot]]:
    later = "2027-01-02T00:00:00"
    galaxies = partial(Shot, "EXPOSE", program="LCO2025B-011", release=later, user="astronomer")
    transit = partial(Shot, "EXPOSE", _WASP, program="LCO2025B-042", release=later, user="student")
    first = galaxies(_NGC253, _at("18:40"), 60.0, "rp", 4)
    second = galaxies(_NGC1365, _at("19:30"), 90.0, "V", 5)
    yield "e00.fits.fz", first
    yield "e91.fits.fz", replace(first, reduced=True)
    yield "e00.fits", second
    yield "e91.fits", replace(second, reduced=True)
    yield (
        "e00.fits.fz",
        Shot("EXPOSE", _DOR, _at("21:10"), 30.0, "H-Alpha", 6, "LCOEPO2025-003", user="school"),
    )
    yield "e00.fits.fz", transit(_at("23:30"), 20.0, "ip", 7)
    yield "e00.fits.bz2", transit(_at("00:10", 2), 20.0, "ip", 8, offset_px=(1.5, -2.0))


def _photon_ranch() -> Iterator[Maker]:
    for ending, shot in _ranch_shots():
        yield f"mrc-kf01-{NIGHT}-{shot.number:08d}-{ending}", partial(_make_photon_ranch, shot)


def _make_photon_ranch(shot: Shot, path: Path, *, seed: int) -> Path:
    return make_photon_ranch(path, shot, seed=seed)


def _ranch_shots() -> Iterator[tuple[str, Shot]]:
    orion = partial(Shot, "light", _M42, exposure_s=30.0, program="Orion mosaic", user="wes")
    nearby = partial(Shot, "light", program="Nearby galaxies", user="tim")
    nebula = orion(started_at=_at("04:30", 2), filter="HA", number=2)
    spiral = nearby(_M81, _at("08:00", 2), 120.0, "lpr", 4)
    whirlpool = nearby(_M51, _at("12:10", 2), 90.0, "w", 6)
    yield "EF00.fits.bz2", Shot("focus", _FOCUS, _at("03:50", 2), 5.0, "w", 1, "focus", user="tim")
    yield "EX00.fits.bz2", nebula
    yield "EX10.fits.fz", replace(nebula, reduced=True)
    yield "EX00.fits.bz2", orion(started_at=_at("04:35", 2), filter="O3", number=3, offset_px=(0.0, 6.0))
    yield "EX00.fits.bz2", spiral
    yield "EX10.fits.fz", replace(spiral, reduced=True)
    yield "EX00.fits", nearby(_M81, _at("08:05", 2), 120.0, "lpg", 5, offset_px=(3.0, -4.0))
    yield "EX00.fits", whirlpool
    yield "EX10.fits.fz", replace(whirlpool, reduced=True)
    yield "EP00.fits.gz", Shot("experimental", _M51, _at("12:20", 2), 20.0, "w", 7, "test", user="tim")
