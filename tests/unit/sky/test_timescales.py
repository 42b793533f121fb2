"""Time scales against astropy (ERFA) and published leap seconds."""

from datetime import UTC, datetime, timedelta

import pytest
from astropy.time import Time
from astropy.utils import iers
from hypothesis import given
from hypothesis import strategies as st

from armillary.sky.timescales import utc_from_mjd, utc_from_scale, utc_from_tai


@pytest.fixture(autouse=True, scope="module")
def _leap_seconds_of_the_package():
    """Let astropy be content with its own table on any date, and ask no server for another."""
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("auto_max_age", None):
        yield


readings = st.datetimes(datetime(1972, 1, 2), datetime(2026, 1, 1), timezones=st.just(UTC))


@given(readings, st.sampled_from(["TAI", "TT"]))
def test_scales_agree_with_astropy_to_a_microsecond(reading, scale):
    naive = reading.replace(tzinfo=None)
    reference = Time(naive, scale=scale.lower()).utc
    if reference.ymdhms["second"] >= 60:
        return  # within a leap second a datetime has no name for the instant
    assert abs(utc_from_scale(reading, scale).replace(tzinfo=None) - reference.to_datetime()) <= timedelta(
        microseconds=2
    )


def test_offset_steps_by_one_at_a_leap_second():
    assert utc_from_tai(datetime(2017, 1, 1, 0, 0, 35, tzinfo=UTC)) == datetime(
        2016, 12, 31, 23, 59, 59, tzinfo=UTC
    )
    assert utc_from_tai(datetime(2017, 1, 1, 0, 0, 37, tzinfo=UTC)) == datetime(2017, 1, 1, tzinfo=UTC)


def test_gps_is_18_seconds_ahead_of_utc_since_2017():
    assert utc_from_scale(datetime(2024, 1, 1, 0, 0, 18, tzinfo=UTC), "gps") == datetime(
        2024, 1, 1, tzinfo=UTC
    )


def test_unknown_scales_are_refused_by_name():
    with pytest.raises(ValueError, match="'LOCAL'"):
        utc_from_scale(datetime(2024, 1, 1, tzinfo=UTC), "LOCAL")


@given(readings, st.sampled_from(["TDB", "TCG", "TCB"]))
def test_coordinate_times_agree_with_astropy_to_three_milliseconds(reading, scale):
    naive = reading.replace(tzinfo=None)
    reference = Time(naive, scale=scale.lower()).utc
    if reference.ymdhms["second"] >= 60:
        return
    assert abs(utc_from_scale(reading, scale).replace(tzinfo=None) - reference.to_datetime()) <= timedelta(
        milliseconds=3
    )


@pytest.mark.parametrize(("scale", "same"), [("UTC(NIST)", "UTC"), ("TT(TAI)", "TT"), ("tai (usno)", "TAI")])
def test_realisations_of_a_scale_are_that_scale(scale, same):
    reading = datetime(2018, 10, 2, 11, 8, 35, tzinfo=UTC)
    assert utc_from_scale(reading, scale) == utc_from_scale(reading, same)


@given(st.floats(15020, 88068))
def test_modified_julian_dates_agree_with_astropy_to_20_microseconds(mjd):
    # A float MJD resolves about 1 microsecond (2**-37 days).
    reference = Time(mjd, format="mjd", scale="tai").to_datetime()
    assert abs(utc_from_mjd(mjd).replace(tzinfo=None) - reference) <= timedelta(microseconds=20)


@pytest.mark.parametrize("mjd", [float("nan"), float("inf"), 1e12, -1e12])
def test_impossible_modified_julian_dates_are_refused(mjd):
    with pytest.raises(ValueError, match="Julian"):
        utc_from_mjd(mjd)
