"""A header whose values agree with the sky, computed by astropy alone, and ways to spoil it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import sin
from typing import Any

from astropy import units
from astropy.coordinates import TETE, AltAz, EarthLocation, SkyCoord
from astropy.time import Time, TimeDelta

from armillary.fits.cards import format_card
from armillary.fits.models import BLOCK
from armillary.headers.rules.sheet import Cell, Page, Sheet

LATITUDE, LONGITUDE, HEIGHT = -30.2446, -70.7494, 2663.0
UNITS = {
    "HASTART": "h",
    "HAEND": "h",
    "PRESSURE": "Pa",
    "AIRTEMP": "C",
    "HUMIDITY": "%",
    "WINDSPD": "m/s",
    "FOCUSZ": "mm",
    "SEEING": "arcsec",
    "RA": "deg",
    "DEC": "deg",
    "EXPTIME": "s",
    "CCDTEMP": "C",
}
SEGMENTS = [f"{x}{y}" for x in (1, 0) for y in range(8)]


@lru_cache(maxsize=64)
def _sky(begin: str, exposure: float, ra: float, dec: float) -> dict[str, Any]:
    place = EarthLocation.from_geodetic(LONGITUDE, LATITUDE, HEIGHT)
    first = Time(begin, scale="tai", precision=3)
    last = first + TimeDelta(exposure, format="sec")
    target = SkyCoord(ra, dec, unit="deg")
    values: dict[str, Any] = {
        "DATE": (last + TimeDelta(2.5, format="sec")).isot,
        "DATE-OBS": first.isot,
        "DATE-BEG": first.isot,
        "DATE-END": last.isot,
        "MJD-OBS": float(first.mjd),
        "MJD-BEG": float(first.mjd),
        "MJD-END": float(last.mjd),
        **{f"OBSGEO-{axis}": float(getattr(place, axis.lower()).to_value("m")) for axis in "XYZ"},
    }
    for end, time in (("START", first), ("END", last)):
        moving = target.transform_to(TETE(obstime=time))
        sidereal = time.ut1.sidereal_time("apparent", longitude=LONGITUDE * units.deg)
        seen = target.transform_to(AltAz(obstime=time, location=place))
        hour_angle = (sidereal - moving.ra).wrap_at(180 * units.deg)
        pole = SkyCoord(0, 90, unit="deg", frame=TETE(obstime=time)).transform_to(
            AltAz(obstime=time, location=place)
        )
        q = _turn(
            seen.position_angle(pole).deg
            - seen.position_angle(SkyCoord(0, 90, unit="deg", frame=seen.frame)).deg
        )
        values |= {
            f"HA{end}": float(hour_angle.deg) / 15,
            f"AZ{end}": float(seen.az.deg),
            f"EL{end}": float(seen.alt.deg),
            f"AM{end}": 1 / sin(float(seen.alt.radian)),
            f"RA{end}": ra,
            f"DEC{end}": dec,
            f"ROT{end}": _turn(40.0 + q),
        }
    return values


def _turn(angle: float) -> float:
    return (float(angle) + 180.0) % 360.0 - 180.0


def values_of(
    seq: int = 42,
    begin: str = "2026-03-02T04:10:05.250",
    exposure: float = 30.0,
    ra: float = 150.0,
    dec: float = -20.0,
) -> dict[str, Any]:
    """Return the primary header of an exposure of a camera on Cerro Pachon."""
    day = begin[:10].replace("-", "") if begin[11:13] >= "12" else f"{int(begin[:10].replace('-', '')) - 1}"
    return {
        "SIMPLE": True,
        "BITPIX": 8,
        "NAXIS": 0,
        "TIMESYS": "TAI",
        "OBSID": f"CC_O_{day}_{seq:06d}",
        "CAMCODE": "CC",
        "CONTRLLR": "O",
        "DAYOBS": day,
        "SEQNUM": seq,
        "FILENAME": f"CC_O_{day}_{seq:06d}.fits",
        "INSTRUME": "Testcam",
        "TELESCOP": "Test 1.2m",
        "IMGTYPE": "OBJECT",
        "OBJECT": "HD 12345",
        "FILTER": "r_03",
        "EXPTIME": exposure,
        "DARKTIME": exposure,
        "SHUTTIME": exposure,
        "RA": ra,
        "DEC": dec,
        "RADESYS": "ICRS",
        "TRACKSYS": "RADEC",
        "ROTCOORD": "sky",
        "ROTPA": 40.0,
        "OBS-LAT": LATITUDE,
        "OBS-LONG": LONGITUDE,
        "OBS-ELEV": HEIGHT,
        "AIRTEMP": 11.5 + seq / 100,
        "PRESSURE": 74310.0 + seq,
        "HUMIDITY": 31.0,
        "WINDSPD": 4.5,
        "WINDDIR": 310.0,
        "SEEING": 0.8,
        "FOCUSZ": 0.12,
        "CCDTEMP": -100.0,
        "DOMEAZ": 20.0,
        **_sky(begin, exposure, ra, dec),
    }


def segments_of(detector: str = "R22_S11") -> list[tuple[str, dict[str, Any]]]:
    """Return the HDUs of an ITL detector with its sixteen segments."""
    h, v, p = 509, 2000, 3
    raft, slot = detector.split("_")
    found: list[tuple[str, dict[str, Any]]] = [
        (
            f"{detector}_PRIMARY",
            {"RAFTBAY": raft, "CCDSLOT": slot, "DETSIZE": f"[1:{8 * h},1:{2 * v}]", "CCD_MANU": "ITL"},
        )
    ]
    for segment in SEGMENTS:
        x, y = int(segment[0]), int(segment[1])
        rows = f"1:{v}" if x else f"{2 * v}:{v + 1}"
        found.append(
            (
                f"{detector}_Segment{segment}",
                {
                    "DATASEC": f"[{p + 1}:{p + h},1:{v}]",
                    "DETSEC": f"[{(y + 1) * h}:{y * h + 1},{rows}]",
                    "DTM1_1": -1.0,
                    "DTM2_2": 2.0 * x - 1,
                    "DTV1": (y + 1) * h + 1 + p,
                    "DTV2": (2 * v + 1) * (1 - x),
                },
            )
        )
    return found


def a_sheet(
    values: Mapping[str, Any] | None = None,
    *,
    file: str = "one.fits",
    hdus: list[tuple[str, dict[str, Any]]] | None = None,
    units_of: Mapping[str, str] = UNITS,
    **changes: Any,
) -> Sheet:
    """Return a header; ``changes`` replace values, ``_`` standing for ``-``; DROP takes a card away."""
    cards = dict(values_of() if values is None else values)
    for name, value in changes.items():
        key = name.replace("_", "-") if name.replace("_", "-") in cards else name
        cards[key] = value
    cells = tuple(
        Cell(key, value, "", units_of.get(key, "")) for key, value in cards.items() if value is not DROP
    )
    further = tuple(Page(name, tuple(Cell(*card) for card in held.items())) for name, held in hdus or ())
    return Sheet((Page("PRIMARY", cells), *further), file)


DROP: Any = object()


def fits_of(values: Mapping[str, Any], *more: bytes) -> bytes:
    """Return a FITS header, and cards as they are."""
    body = b"".join([*(format_card(key, value) for key, value in values.items()), *more, b"END".ljust(80)])
    return body.ljust(-(-len(body) // BLOCK) * BLOCK)
