"""The border to astropy: times, sidereal time, apparent places and the site, of many instants at once.

Nothing is fetched: what the tables of the installed package do not tell of the rotation of the Earth counts as
zero, which is less than a second.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.demo.telemetry.instruments import Site

SECOND = 1_000_000_000
DAY_S = 86_400
Floats = NDArray[np.float64]


@contextmanager
def _offline() -> Iterator[None]:
    from astropy.utils import iers

    with (
        iers.conf.set_temp("auto_download", False),
        iers.conf.set_temp("auto_max_age", None),
        iers.conf.set_temp("iers_degraded_accuracy", "ignore"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


def times_of(tai_ns: list[int]) -> Any:
    """Return astropy's times of TAI nanoseconds since 1970-01-01T00:00:00 TAI."""
    from astropy.time import Time

    days = [40_587 + ns // (DAY_S * SECOND) for ns in tai_ns]
    parts = [ns % (DAY_S * SECOND) / SECOND / DAY_S for ns in tai_ns]
    return Time(days, parts, format="mjd", scale="tai", precision=3)


def sidereal_deg(tai_ns: list[int], site: Site) -> Floats:
    """Return the local apparent sidereal time of instants, degrees."""
    import astropy.units as u

    with _offline():
        found = times_of(tai_ns).ut1.sidereal_time("apparent", longitude=site.lon_deg * u.deg)
    return np.asarray(found.deg)


def apparent_deg(ra_deg: Floats, dec_deg: Floats, tai_ns: list[int]) -> tuple[Floats, Floats]:
    """Return right ascension and declination of date of ICRS positions, each at its instant, degrees."""
    return _places(ra_deg, dec_deg, tai_ns, to_date=True)


def catalogue_deg(ra_deg: Floats, dec_deg: Floats, tai_ns: list[int]) -> tuple[Floats, Floats]:
    """Return ICRS positions of right ascensions and declinations of date, each at its instant, degrees."""
    return _places(ra_deg, dec_deg, tai_ns, to_date=False)


def _places(ra_deg: Floats, dec_deg: Floats, tai_ns: list[int], *, to_date: bool) -> tuple[Floats, Floats]:
    from astropy.coordinates import ICRS, TETE

    of_date = TETE(obstime=times_of(tai_ns))
    start, end = (ICRS(), of_date) if to_date else (of_date, ICRS())
    with _offline():
        found = start.realize_frame(_spherical(ra_deg, dec_deg)).transform_to(end)
    return np.asarray(found.ra.deg), np.asarray(found.dec.deg)


def _spherical(ra_deg: Floats, dec_deg: Floats) -> Any:
    import astropy.units as u
    from astropy.coordinates import UnitSphericalRepresentation

    return UnitSphericalRepresentation(ra_deg * u.deg, dec_deg * u.deg)


def iso_ms(tai_ns: list[int]) -> list[str]:
    """Return instants as FITS dates in TAI, to the millisecond."""
    return [str(one) for one in times_of(tai_ns).isot]


def mjd(tai_ns: list[int]) -> list[float]:
    """Return instants as modified Julian dates in TAI."""
    return [float(one) for one in times_of(tai_ns).mjd]


def day_of(tai_ns: list[int]) -> list[str]:
    """Return the date of TAI twelve hours before instants, as YYYYMMDD."""
    noon = [ns - DAY_S * SECOND // 2 for ns in tai_ns]
    return [str(one)[:10].replace("-", "") for one in times_of(noon).isot]


def geocentric_m(site: Site) -> tuple[float, float, float]:
    """Return a place in metres from the centre of the Earth (WGS84)."""
    import astropy.units as u
    from astropy.coordinates import EarthLocation

    place = EarthLocation.from_geodetic(site.lon_deg * u.deg, site.lat_deg * u.deg, site.height_m * u.m)
    return float(place.x.to_value(u.m)), float(place.y.to_value(u.m)), float(place.z.to_value(u.m))
