"""Where a telescope points, against astropy and erfa."""

from __future__ import annotations

from math import radians

import astropy.units as u
import erfa
import pytest
from astropy.coordinates import TETE, AltAz, EarthLocation, SkyCoord
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from armillary.sky.instants import iso_ms, mjd, tai_of_iso
from armillary.sky.plate import Plate, plate_solution
from armillary.sky.pointing import (
    airmass,
    altitude_deg,
    azimuth_deg,
    geocentric_m,
    hour_angle_deg,
    parallactic_deg,
)
from armillary.sky.sidereal import greenwich_deg, prepare

LATITUDE, LONGITUDE, HEIGHT = -30.2447889, -70.7476862, 2663.0
SITE = EarthLocation.from_geodetic(LONGITUDE, LATITUDE, HEIGHT)
NIGHTS = ["1995-03-04T05:06:07", "2016-12-31T23:59:40", "2020-05-21T21:56:18", "2025-11-11T03:00:00"]
ARCSEC = 3600.0


def test_the_site_of_the_specification() -> None:
    x, y, z = geocentric_m(LATITUDE, LONGITUDE, HEIGHT)
    assert (round(x, 2), round(y, 2), round(z, 2)) == (1819093.52, -5208408.10, -3195186.45)
    assert (x, y, z) == pytest.approx([SITE.x.value, SITE.y.value, SITE.z.value], abs=1e-6)


@pytest.mark.parametrize("text", NIGHTS)
def test_hour_angles_are_those_of_astropy_within_a_tenth_of_a_second(text: str) -> None:
    at = tai_of_iso(text, "TAI")
    time = Time(text, scale="tai", location=SITE)
    theirs = (time.sidereal_time("apparent") - 123.4 * u.deg).wrap_at(180 * u.deg).deg
    # Both know UT1 to some ms for the past; where one predicts it, to 50 ms.
    assert abs(hour_angle_deg(at, LONGITUDE, 123.4) - theirs) * 240 < 0.1


@given(st.integers(tai_of_iso("2020-01-01"), tai_of_iso("2020-12-31")))
def test_sidereal_time_is_smooth_to_a_microsecond(at: int) -> None:
    prepare(at)
    days = mjd(at) - mjd(tai_of_iso("2020-01-01"))
    turned = (greenwich_deg(at) - greenwich_deg(tai_of_iso("2020-01-01")) - 360.98564736629 * days) % 360
    # Nutation moves the equinox by 17" and 1.3" of longitude, so by less than 20" of right ascension.
    assert min(turned, 360 - turned) * ARCSEC < 20


def test_sidereal_time_ends_with_its_table() -> None:
    with pytest.raises(ValueError, match="1900 to 2100"):
        greenwich_deg(tai_of_iso("2200-01-01"))


@pytest.mark.parametrize("text", NIGHTS)
@pytest.mark.parametrize(("ra", "dec"), [(10.0, -30.0), (200.0, 12.0), (310.0, -75.0)])
def test_horizontal_places_are_those_of_astropy_within_two_arcseconds(
    text: str, ra: float, dec: float
) -> None:
    time = Time(text, scale="tai")
    place = SkyCoord(ra * u.deg, dec * u.deg, frame=TETE(obstime=time, location=SITE))
    theirs = place.transform_to(AltAz(obstime=time, location=SITE))
    at = tai_of_iso(text, "TAI")
    hour_angle = hour_angle_deg(at, LONGITUDE, ra)
    alt, az = altitude_deg(hour_angle, dec, LATITUDE), azimuth_deg(hour_angle, dec, LATITUDE)
    ours = SkyCoord(az * u.deg, alt * u.deg, frame=AltAz(obstime=time, location=SITE))
    # Polar motion (0.5"), diurnal aberration (0.3") and the difference of UT1 (15" for each second) are left out.
    assert ours.separation(theirs).arcsec < 2.0
    assert iso_ms(at).startswith(text)


@given(st.floats(-179, 179), st.floats(-89, 89), st.floats(-80, 80).filter(lambda p: abs(p) > 0.1))
def test_formulas_are_those_of_sofa(h: float, d: float, p: float) -> None:
    azimuth, altitude = erfa.hd2ae(radians(h), radians(d), radians(p))
    assert radians(altitude_deg(h, d, p)) == pytest.approx(altitude, abs=1e-7)
    # The arcsine of a formula is worth 1e-8 at the zenith, where an azimuth means nothing.
    if abs(altitude) < 1.55:
        turned = abs(radians(azimuth_deg(h, d, p)) - azimuth)
        assert min(turned, 6.283185307179586 - turned) < 1e-9
        angle = abs(radians(parallactic_deg(h, d, p)) - erfa.hd2pa(radians(h), radians(d), radians(p)))
        assert min(angle, 6.283185307179586 - angle) < 1e-9


def test_airmass_of_both_models() -> None:
    assert airmass(90.0) == 1.0
    assert airmass(30.0) == pytest.approx(2.0, abs=1e-12)
    # At the horizon the atmosphere is worth 38 zeniths (Pickering 2002).
    assert airmass(0.001, "pickering") == pytest.approx(38.7, abs=0.2)
    assert airmass(30.0, "pickering") == pytest.approx(1.993, abs=0.001)


@pytest.mark.parametrize("altitude", [0.0, -5.0, 90.1, float("nan")])
def test_there_is_no_airmass_below_the_horizon(altitude: float) -> None:
    with pytest.raises(ValueError, match="no airmass"):
        airmass(altitude)


def test_other_models_are_unknown() -> None:
    with pytest.raises(ValueError, match="known are secant, pickering"):
        airmass(45.0, "young")


def test_north_is_up_and_east_left_without_rotation() -> None:
    cards = plate_solution(Plate((2036.5, 2000.5), 0.2 / 3600), 150.0, 2.0, 0.0)
    assert (cards["CD1_1"], cards["CD1_2"]) == (-0.2 / 3600, 0.0)
    assert (cards["CD2_1"], cards["CD2_2"]) == (0.0, 0.2 / 3600)


@pytest.mark.parametrize("east_left", [True, False])
@pytest.mark.parametrize("angle", [0.0, 30.0, 135.0, 290.0])
def test_the_y_axis_points_to_its_position_angle(angle: float, east_left: bool) -> None:
    from astropy.wcs import WCS

    cards = plate_solution(Plate((100.0, 50.0), 1e-4, east_left), 80.0, -40.0, angle)
    wcs = WCS(cards)
    here, above = wcs.pixel_to_world(99.0, 49.0), wcs.pixel_to_world(99.0, 50.0)
    assert here.separation(SkyCoord(80 * u.deg, -40 * u.deg)).arcsec < 1e-6
    assert here.position_angle(above).wrap_at(360 * u.deg).deg == pytest.approx(angle, abs=1e-3)
    beside = wcs.pixel_to_world(100.0, 49.0)
    turn = -90.0 if east_left else 90.0
    assert (here.position_angle(beside).deg - angle - turn) % 360 == pytest.approx(0, abs=1e-3) or (
        here.position_angle(beside).deg - angle - turn
    ) % 360 == pytest.approx(360, abs=1e-3)
