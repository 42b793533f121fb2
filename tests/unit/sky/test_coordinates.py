"""Angles and positions against astropy, and the awkward corners of the sphere."""

import math

import astropy.units as u
import pytest
from astropy.coordinates import FK5, Angle, SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from armillary.sky.coordinates import (
    galactic_to_j2000,
    in_cone,
    parse_angle,
    position_of,
    precess_to_j2000,
    separation_deg,
    squared_chord,
    unit_vector,
)

ra_values = st.floats(0, 360, exclude_max=True)
dec_values = st.floats(-90, 90)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("00:48:53.8", 0 + 48 / 60 + 53.8 / 3600),
        ("+74:55:32", 74 + 55 / 60 + 32 / 3600),
        ("-00:30:00", -0.5),
        (" -5 15 00.0 ", -5.25),
        ("12h30m00s", 187.5),
        ("-80d06m25.99s", -(80 + 6 / 60 + 25.99 / 3600)),
        ("07:30", 7.5),
        ("23:59:60.0", 24.0),
    ],
)
def test_sexagesimal_forms_are_read(text, value):
    assert parse_angle(text, 1.0) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(
    "text", ["", "NaN", "12.5", "1:2:3:4", "12:61:00", "12:00:61", "N/A", "12:-3:00", "ab:cd"]
)
def test_other_forms_are_refused(text):
    with pytest.raises(ValueError, match=r"sexagesimal|60"):
        parse_angle(text, 1.0)


@pytest.mark.parametrize(
    ("text", "factor", "degrees"),
    [
        ("05h 35m 17.3s", 15.0, 83.822083333),
        ("05 35.29", 15.0, 83.8225),
        ("83d49m19.5s", 15.0, 83.822083333),
        ("05:35:17.3h", 1.0, 83.822083333),
        ("-00? 23' 28\"", 1.0, -0.391111111),
        ("-00\u00b023\u203228\u2033", 1.0, -0.391111111),
        ("05h35m17s.3", 15.0, 83.822083333),
        ("1.4629 rad", 15.0, 83.817995),
        ("83.63 deg", 15.0, 83.63),
        ("5.575h", 1.0, 83.625),
        ("24:00:00", 15.0, 360.0),
    ],
)
def test_a_unit_in_the_text_counts(text, factor, degrees):
    assert parse_angle(text, factor) == pytest.approx(degrees, abs=1e-6)


@pytest.mark.parametrize("text", ["25:00:00", "24:00:01", "25h", "05 35.5 17", "5,575h"])
def test_hours_end_at_24_and_fractions_with_the_last_part(text):
    with pytest.raises(ValueError, match=r"24|sexagesimal"):
        parse_angle(text, 15.0)


@given(ra_values, st.floats(-89.9, 89.9))
def test_galactic_positions_agree_with_astropy_to_a_tenth_of_an_arcsecond(longitude, latitude):
    # The poles of J2000 are rounded to 5 decimals in the catalogue that astropy's follow from.
    reference = SkyCoord(l=longitude * u.deg, b=latitude * u.deg, frame="galactic").icrs
    found = galactic_to_j2000(longitude, latitude)
    assert separation_deg(*found, reference.ra.deg, reference.dec.deg) * 3600 < 0.1


@given(st.floats(-89.999, 89.999))
def test_sexagesimal_reads_what_astropy_writes(value):
    text = Angle(value, u.deg).to_string(sep=":", precision=9, pad=True)
    assert parse_angle(text, 1.0) == pytest.approx(value, abs=1e-12)


@given(ra_values, st.floats(-89.9, 89.9))
def test_vector_and_position_are_inverse(ra, dec):
    assert separation_deg(ra, dec, *position_of(unit_vector(ra, dec))) < 1e-12


@given(ra_values, dec_values, ra_values, dec_values)
def test_separation_equals_astropy(ra1, dec1, ra2, dec2):
    reference = SkyCoord(ra1, dec1, unit="deg").separation(SkyCoord(ra2, dec2, unit="deg")).deg
    assert separation_deg(ra1, dec1, ra2, dec2) == pytest.approx(reference, abs=1e-11)


@given(ra_values, dec_values, ra_values, dec_values)
def test_squared_chord_agrees_with_vectors(ra1, dec1, ra2, dec2):
    chord = math.dist(unit_vector(ra1, dec1), unit_vector(ra2, dec2)) ** 2
    assert squared_chord(separation_deg(ra1, dec1, ra2, dec2)) == pytest.approx(chord, abs=1e-12)


def test_cone_reaches_across_right_ascension_zero_and_over_a_pole():
    assert in_cone(359.9, 0, 0.1, 0, 0.21)
    assert not in_cone(359.9, 0, 0.1, 0, 0.19)
    assert in_cone(10, 89.9, 190, 89.9, 0.21)


@given(st.floats(1900, 2100), ra_values, st.floats(-89, 89))
@settings(max_examples=25)
def test_precession_agrees_with_astropy_to_half_an_arcsecond(year, ra, dec):
    reference = SkyCoord(ra, dec, unit="deg", frame=FK5(equinox=f"J{year!r}")).transform_to(
        FK5(equinox="J2000")
    )
    ours = precess_to_j2000(ra, dec, year)
    assert separation_deg(*ours, reference.ra.deg, reference.dec.deg) * 3600 < 0.5


def test_precession_of_the_standard_equinox_changes_nothing():
    assert precess_to_j2000(123.4, -56.7, 2000.0) == pytest.approx((123.4, -56.7), abs=1e-12)
