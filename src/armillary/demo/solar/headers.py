"""The primary header of a cube."""

from __future__ import annotations

from armillary.demo.solar.cube import EXTENSIONS, SolarCube, iso
from armillary.demo.solar.extensions import midnight
from armillary.demo.solar.surface import UNIT
from armillary.fits.cards import format_card
from armillary.fits.models import Value

Cards = dict[str, tuple[Value, str]]
UNDEFINED = -32768
"""BLANK of a cube of integers."""


def primary_cards(cube: SolarCube) -> list[bytes]:
    """Return the cards of the primary header, without END and checksums."""
    cards: Cards = {
        "SIMPLE": (True, "Written in the FITS standard"),
        "BITPIX": (cube.bitpix, ""),
        "NAXIS": (len(cube.shape), ""),
        **{f"NAXIS{number}": (length, "") for number, length in enumerate(cube.shape, 1)},
        "EXTEND": (True, ""),
        **_scale(cube),
        **_said(cube),
        **_coordinates(cube),
    }
    known = cards | {name: (value, "") for name, value in cube.cards.items()}
    written = [
        format_card(name, value, comment) for name, (value, comment) in known.items() if cube.has(name)
    ]
    return written if "DW3" in cube.without else [*written, *_distortion()]


def _scale(cube: SolarCube) -> Cards:
    if cube.bitpix < 0:
        return {}
    scale: Cards = {"BSCALE": (UNIT, ""), "BZERO": (0.0, "")}
    return scale | {"BLANK": (UNDEFINED, "Undefined pixels")} if cube.border else scale


def _said(cube: SolarCube) -> Cards:
    variable = [name for name in EXTENSIONS if name.startswith("VAR-EXT-") and cube.has(name)]
    said: dict[str, Value] = {
        "DATE": cube.made or None,
        "SOLARNET": 0.5,
        "TELESCOP": "Swedish 1-m Solar Telescope",
        "INSTRUME": cube.instrument,
        "OBJECT": cube.target,
        "DATEREF": iso(midnight(cube)),
        "TIMESYS": "UTC",
        "DATE-BEG": cube.date_beg,
        "DATE-END": iso(cube.end),
        "POINT_ID": cube.point_id or cube.date_beg,
        "FILTER1": cube.filter,
        "WAVELNTH": float(cube.filter) / 10,
        "WAVEUNIT": -9,
        "WAVEMIN": cube.wavelengths_nm[0],
        "WAVEMAX": cube.wavelengths_nm[-1],
        "FILENAME": cube.name if cube.filename is None else cube.filename,
        "NSCANS": len(cube.scans),
        "SCANNUM": cube.scans[0] if len(cube.scans) == 1 else None,
        "XPOSURE": 0.012,
        "BUNIT": "W m-2 Hz-1 sr-1",
        "RELEASE": cube.release,
        "RELEASEC": cube.release_comment,
        "FEATURES": cube.features,
        "EVENTS": cube.events,
        "VAR_KEYS": ",".join(f"{name};{name.removeprefix('VAR-EXT-')}" for name in variable) or None,
    }
    return {name: (value, "") for name, value in said.items() if value is not None}


def _coordinates(cube: SolarCube) -> Cards:
    cards: Cards = {}
    for number, axis in enumerate(cube.axes, 1):
        if "table" in cube.wcs and axis != "STOKES":
            cards |= _tabulated(cube, number, axis)
        elif cube.wcs & {"table", "linear"}:
            cards |= _linear(cube, number, axis)
    if "alternate" in cube.wcs:
        for number, axis in enumerate(cube.axes[:2], 1):
            cards |= {
                f"CTYPE{number}A": (f"{axis}-TAN", ""),
                f"CUNIT{number}A": ("arcsec", ""),
                f"CRPIX{number}A": ((cube.shape[number - 1] + 1) / 2, ""),
                f"CRVAL{number}A": (cube.centre_arcsec[number - 1], "Centre of the field"),
                f"CDELT{number}A": (cube.pixel_arcsec, ""),
            }
    return cards


def _tabulated(cube: SolarCube, number: int, axis: str) -> Cards:
    named = [name for name in cube.axes if name != "STOKES"]
    cards: Cards = {
        f"CTYPE{number}": (("UTC--TAB" if axis == "TIME" else f"{axis}-TAB"), ""),
        f"CUNIT{number}": ({"WAVE": "nm", "TIME": "s"}.get(axis, "arcsec"), ""),
        f"CRPIX{number}": (0.0, ""),
        f"CRVAL{number}": (0.0, ""),
        f"CDELT{number}": (1.0, ""),
        f"PS{number}_0": ("WCS-TAB", "EXTNAME"),
        f"PS{number}_1": ("+".join(named), "TTYPE of the coordinates"),
        f"PV{number}_3": (named.index(axis) + 1, "Which of the coordinates"),
    }
    return cards | {f"PS{number}_2": (f"{axis}-INDEX", "TTYPE of the index")} if number <= 2 else cards


def _linear(cube: SolarCube, number: int, axis: str) -> Cards:
    ctype, unit, value, step = {
        "HPLN": ("HPLN-TAN", "arcsec", cube.centre_arcsec[0], cube.pixel_arcsec),
        "HPLT": ("HPLT-TAN", "arcsec", cube.centre_arcsec[1], cube.pixel_arcsec),
        "WAVE": ("WAVE", "nm", float(cube.filter) / 10, 0.007),
        "STOKES": ("STOKES", "", 1.0, 1.0),
        "TIME": ("UTC", "s", (cube.begin - midnight(cube)).total_seconds(), cube.cadence_s),
    }[axis]
    middle = 1.0 if axis in ("STOKES", "TIME") else (cube.shape[number - 1] + 1) / 2
    cards: Cards = {
        f"CTYPE{number}": (ctype, ""),
        f"CRPIX{number}": (middle, ""),
        f"CRVAL{number}": (value, ""),
        f"CDELT{number}": (step, ""),
    }
    return cards | {f"CUNIT{number}": (unit, "")} if unit else cards


def _distortion() -> list[bytes]:
    """Return record-valued cards (several of one keyword), as of a distortion of the third axis."""
    records = ("EXTVER: 1", "NAXES: 2", "AXIS.1: 1", "AXIS.2: 2", "ASSOCIATE: 1", "APPLY: 6")
    return [format_card("DW3", record) for record in records]
