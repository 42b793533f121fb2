"""HEALPix indices and cones against the library's own wrapper and against brute force."""

import math
from itertools import pairwise

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import Latitude, Longitude
from cdshealpix.nested import lonlat_to_healpix
from hypothesis import example, given, settings
from hypothesis import strategies as st

from armillary.sky.healpix import PIXELS, cone_ranges, healpix_index, healpix_indices

ra_values = st.floats(0, 360)
dec_values = st.floats(-90, 90)
radii = st.floats(-6, 2).map(lambda power: min(10**power, 180.0))


def points_around(ra, dec, radius, *, count=300, seed=1):
    """Return positions and true separations, dense within twice the radius, by rotating a polar cap."""
    rng = np.random.default_rng(seed)
    reach = np.minimum(np.sqrt(rng.random(count)) * 2 * radius, 180.0)
    theta, phi = np.radians(reach), rng.random(count) * 2 * np.pi
    x, y, z = np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)
    tilt = math.radians(90 - dec)
    x, z = x * math.cos(tilt) + z * math.sin(tilt), -x * math.sin(tilt) + z * math.cos(tilt)
    lon = np.degrees(np.arctan2(y, x)) + ra
    return lon % 360, np.degrees(np.arctan2(z, np.hypot(x, y))), reach


def covered(indices, ranges):
    lows = np.array([low for low, _ in ranges])
    highs = np.array([high for _, high in ranges])
    slot = np.searchsorted(lows, indices, side="right") - 1
    return (slot >= 0) & (indices < highs[np.maximum(slot, 0)])


@given(ra_values, dec_values)
def test_index_equals_that_of_the_public_wrapper(ra, dec):
    wrapped = Longitude(ra % 360, u.deg), Latitude(dec, u.deg)
    assert healpix_index(ra, dec) == int(lonlat_to_healpix(*wrapped, 29)[0])


@given(ra_values, dec_values)
def test_index_fits_a_signed_bigint(ra, dec):
    assert 0 <= healpix_index(ra, dec) < PIXELS < 2**63


def test_right_ascension_wraps():
    assert healpix_index(360.0, 12.5) == healpix_index(0.0, 12.5) == healpix_index(-360.0, 12.5)


@given(ra_values, dec_values, radii, st.integers(0, 2**16))
@example(0.0, 0.0, 1.0, 1)
@example(359.999, 10.0, 0.5, 1)
@example(123.0, 90.0, 0.1, 1)
@example(45.0, -90.0, 5.0, 1)
@example(200.0, 89.99, 0.5, 1)
@example(10.0, 10.0, 180.0, 1)
@settings(max_examples=80)
def test_cone_misses_no_position_inside(ra, dec, radius, seed):
    lon, lat, separation = points_around(ra, dec, radius, seed=seed)
    inside = covered(healpix_indices(lon, lat), cone_ranges(ra, dec, radius))
    # 1e-9 degrees: rounding of the brute-force separations themselves
    assert inside[separation <= radius - 1e-9].all()


@given(ra_values, dec_values, radii)
@settings(max_examples=80)
def test_cone_is_a_short_sorted_disjoint_list(ra, dec, radius):
    ranges = cone_ranges(ra, dec, radius)
    assert 1 <= len(ranges) <= 64
    assert all(low < high for low, high in ranges)
    assert all(before[1] < after[0] for before, after in pairwise(ranges))


@given(ra_values, dec_values, st.floats(1e-4, 30))
@settings(max_examples=60)
def test_cone_wastes_little_sky(ra, dec, radius):
    area = sum(high - low for low, high in cone_ranges(ra, dec, radius)) / PIXELS
    assert area <= 4 * math.sin(math.radians(radius) / 2) ** 2


def test_cone_across_the_meridian_finds_both_sides():
    ranges = cone_ranges(0.0, 5.0, 1.0)
    both = healpix_indices(np.array([359.5, 0.5, 180.0]), np.array([5.0, 5.0, 5.0]))
    assert covered(both, ranges).tolist() == [True, True, False]


def test_cone_of_the_whole_sky_is_one_range():
    assert cone_ranges(10, 10, 180) == [(0, PIXELS)]


@pytest.mark.parametrize("bad", [(0, 91, 1), (float("nan"), 0, 1), (0, 0, -1), (0, 0, float("nan"))])
def test_impossible_cones_are_refused(bad):
    with pytest.raises(ValueError, match="cone"):
        cone_ranges(*bad)


@pytest.mark.parametrize(("ra", "dec"), [(0, 90.1), (float("nan"), 0), (float("inf"), 0), (0, float("nan"))])
def test_impossible_positions_have_no_index(ra, dec):
    with pytest.raises(ValueError, match="declination"):
        healpix_index(ra, dec)
