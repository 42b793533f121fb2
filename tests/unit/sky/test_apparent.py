"""The local sky agrees with astropy within the tolerances that the module states."""

from __future__ import annotations

import pytest
from astropy.coordinates import ICRS, TETE, EarthLocation, SkyCoord
from astropy.time import Time

from armillary.sky import apparent
from armillary.sky.coordinates import separation_deg

INSTANTS = ("1995-03-01T03:00:00", "2003-11-12T08:30:00", "2012-07-01T00:00:30", "2024-04-03T05:14:00")
PLACES = ((10.0, -35.0), (125.1, -15.05), (279.2, 38.8), (201.0, 89.2), (350.0, -81.4))
SITES = ((-30.2447, -70.7494, 2663.0), (19.8238, -155.469, 4213.0), (0.0, 179.9, 0.0), (78.2, 15.6, 20.0))


@pytest.mark.parametrize("instant", INSTANTS)
@pytest.mark.parametrize("place", PLACES)
def test_a_place_of_date_is_right_to_an_arcsecond(instant: str, place: tuple[float, float]) -> None:
    time = Time(instant, scale="tt")
    expected = SkyCoord(*place, unit="deg", frame=ICRS).transform_to(TETE(obstime=time))
    found = apparent.apparent_place(*place, time.mjd)
    assert separation_deg(*found, expected.ra.deg, expected.dec.deg) * 3600 < 1.0


@pytest.mark.parametrize("site", SITES)
def test_the_place_of_a_geocentric_position_is_that_of_wgs84(site: tuple[float, float, float]) -> None:
    latitude, longitude, height = site
    there = EarthLocation.from_geodetic(longitude, latitude, height)
    expected = [axis.to_value("m") for axis in (there.x, there.y, there.z)]
    assert apparent.geodetic(*expected) == pytest.approx(site, abs=0.001)


def test_horizontal_coordinates_turn_from_north_through_east() -> None:
    # On the equator of the sky, seen from latitude 30 south: rises in the east, culminates in the north.
    assert apparent.horizontal(-90.0, 0.0, -30.0) == pytest.approx((0.0, 90.0), abs=1e-9)
    assert apparent.horizontal(0.0, 0.0, -30.0) == pytest.approx((60.0, 0.0), abs=1e-9)
    altitude, azimuth = apparent.horizontal(30.0, -60.0, -30.0)
    assert altitude == pytest.approx(53.902, abs=0.001)
    assert 180 < azimuth < 270


def test_refraction_is_that_of_the_formula() -> None:
    assert apparent.refraction_deg(45.0) * 3600 == pytest.approx(60.0, abs=2.0)
    assert apparent.refraction_deg(-5.0) == 0.0
