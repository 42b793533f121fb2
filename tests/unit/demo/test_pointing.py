"""Where demonstration telescopes look, against what real ones reported."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.demo.pointing import Place, Target, pointing, sexagesimal, zenith
from armillary.sky.coordinates import parse_angle


@pytest.mark.parametrize(
    ("place", "target", "when", "azimuth", "elevation"),
    [
        # Header of lsc1m005-kb78-20151109-0179-e90.fits (Las Cumbres, Cerro Tololo)
        ((-70.8047889, -30.1673833), (119.788025, 15.413011), "2015-11-10T08:01:07", 27.3159648, 40.0274342),
        # Header of coj1m011-kb05-20150219-0125-e90.fits (Las Cumbres, Siding Spring)
        ((149.0708771, -31.2727986), (186.2660, 12.88696), "2015-02-19T13:56:05", 46.6348792, 32.0808821),
    ],
)
def test_pointing_agrees_with_real_telescopes_to_a_third_of_a_degree(place, target, when, azimuth, elevation):
    # They apply precession since 2000 (up to 0.2 degrees) and refraction (0.03), which a demonstration leaves out.
    found = pointing(
        Target("x", *target), Place(*place, 0.0), datetime.fromisoformat(when).replace(tzinfo=UTC)
    )
    assert found.azimuth_deg == pytest.approx(azimuth, abs=0.33)
    assert found.elevation_deg == pytest.approx(elevation, abs=0.33)


def test_airmass_agrees_with_a_real_header_to_one_percent():
    when = datetime(2015, 11, 10, 8, 1, 7, tzinfo=UTC)
    found = pointing(Target("GJ 3470", 119.788025, 15.413011), Place(-70.8047889, -30.1673833, 2201.0), when)
    assert found.airmass == pytest.approx(1.5516976, rel=0.01)


def test_zenith_is_overhead():
    place, when = Place(-155.469, 19.8238, 4213.0), datetime(2026, 1, 1, 3, 10, tzinfo=UTC)
    assert pointing(zenith("up", place, when), place, when).elevation_deg > 89.99


@given(st.floats(-359.9, 359.9))
def test_sexagesimal_text_reads_back(value):
    # Half of the last digit, 0.01 arcseconds
    assert parse_angle(sexagesimal(value, sign=True), 1.0) == pytest.approx(value, abs=0.0051 / 3600)
