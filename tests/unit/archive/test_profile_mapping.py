"""How headers become frames: every form of value, and no header that makes it fail."""

import math
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armillary.archive.intake.profiles import load_profiles
from armillary.archive.models import QaState
from tests.support.frames import Frame, a_frame, a_header, frame_from

PROFILES = load_profiles()
KEYWORDS = sorted(
    {
        keyword
        for profile in PROFILES.ordered
        for _, _, rules in profile.fields
        for rule in rules
        for keyword in (*rule.keywords, *rule.source.time, rule.source.times)
        if keyword and keyword != "@filename"
    }
    | {
        "TIMESYS",
        "RAWGEMQA",
        "RAWPIREQ",
        "CTYPE1",
        "CRVAL1",
        "CRVAL2",
        "EQUINOX",
        "RADESYS",
        "EPOCH",
        "FRAME",
    }
)
WORDS = [
    "GMOS-N",
    "NIRI",
    "CRISP",
    "Gemini-South",
    "LCOGT",
    "RA---TAN",
    "APPT",
    "TAI",
    "2026-01-01",
    "12:00:00",
]
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=12),
    st.sampled_from([*WORDS, "0001-01-01T00:00:00", "9999-12-31T23:59:59", "99:99:99", "1/1/99", "-1e400"]),
)


def test_builder_frame_is_that_of_the_builder_header():
    frame = frame_from(a_header(), filename="N20260101S0001.fits")
    expected = a_frame(
        qa_state=QaState.PASS,
        spectroscopy=False,
        mode="imaging",
        disperser="MIRROR",
        camera="GMOS-N",
        focal_plane_mask="Imaging",
        wavelength_band="r",
        adaptive_optics=False,
        laser_guide_star=False,
        airmass=None,
        readmode_setting="Classic",
    )
    assert frame == expected


@given(
    st.lists(st.dictionaries(st.sampled_from(KEYWORDS), values, max_size=25), max_size=4),
    st.text(max_size=20),
)
@settings(max_examples=100, deadline=None)
def test_no_header_makes_it_fail(headers, filename):
    frame = frame_from(*headers, filename=filename, profiles=PROFILES)
    numbers = [frame.ra_deg, frame.dec_deg, frame.exposure_s, frame.azimuth_deg, frame.airmass]
    assert all(math.isfinite(number) for number in numbers if number is not None)
    assert (frame.ra_deg is None) == (frame.dec_deg is None)
    for instant in (frame.started_at, frame.ended_at):
        assert instant is None or instant.utcoffset() == timedelta(0)
    for name in ("object", "filter", "program", "telescope"):
        text = getattr(frame, name)
        assert text is None or (text.isprintable() and text)


@pytest.mark.parametrize(
    ("keyword", "value", "field", "reason"),
    [
        ("EXPTIME", "long", "exposure_s", "not a number"),
        ("EXPTIME", -1.0, "exposure_s", "not within 0..1e+08"),
        ("AIRMASS", float("nan"), "airmass", "not a finite number"),
        ("RELEASE", "2023-02-30", "release", "day is out of range for month"),
        (
            "RELEASE",
            "2023-01-01T00:00:00",
            "release",
            "not a date of the form YYYY-MM-DD: '2023-01-01T00:00:00'",
        ),
        ("RAWIQ", "superb", "raw_iq", "not a percentile"),
        ("PROP_MD", "maybe", "proprietary_coordinates", "neither true nor false"),
        ("COADDS", 1.5, "coadds", "not a whole number"),
        ("DEC", 91.0, "dec_deg", "not on the sky"),
        ("UT", "25:00:00", "started_at", "not a time of day"),
        ("CCDSUM", "two", "binning", "not two binning factors"),
    ],
)
def test_malformed_value_is_left_out_with_a_warning(keyword, value, field, reason):
    frame = frame_from({**a_header(), keyword: value})
    assert getattr(frame, field) == getattr(Frame(), field)
    assert [w for w in frame.warnings if reason in w and repr(value) in w]


def test_bad_source_gives_way_to_the_next():
    header = {"DATE-OBS": "yesterday", "MJD-OBS": 60000.25}
    frame = frame_from(header)
    assert frame.started_at == datetime(2023, 2, 25, 6, tzinfo=UTC)
    assert frame.warnings == ("DATE-OBS = 'yesterday': not a date",)


@pytest.mark.parametrize("word", ["", "N/A", "UNKNOWN", "Unspecified", "NaN", " none "])
def test_words_that_mean_nothing_are_absent_without_a_warning(word):
    frame = frame_from({"OBJECT": word, "EXPTIME": word, "RA": word, "DEC": word, "DATE-OBS": word})
    assert (frame.object, frame.exposure_s, frame.ra_deg, frame.warnings) == (None, None, None, ())


def test_sexagesimal_right_ascension_is_hours_and_a_number_degrees():
    assert frame_from({"RA": "06:00:00", "DEC": "-00:30:00"}).ra_deg == 90.0
    assert frame_from({"RA": "06:00:00", "DEC": "-00:30:00"}).dec_deg == -0.5
    assert frame_from({"RA": 90.0, "DEC": "10"}).ra_deg == 90.0


def test_right_ascension_without_declination_is_no_position():
    assert frame_from({"RA": 90.0}).ra_deg is None


def test_photon_ranch_hours_become_degrees():
    frame = frame_from({"RAHRS": 6.5, "DEC": 10.0}, filename="mrc-kf01-20260101-00000001-EX00.txt")
    assert (frame.profile, frame.site, frame.ra_deg, frame.night) == (
        "photon_ranch",
        "mrc",
        97.5,
        date(2026, 1, 1),
    )


def test_helioprojective_coordinates_are_no_right_ascension():
    header = {
        "INSTRUME": "CRISP",
        "CTYPE1": "HPLN-TAN",
        "CRVAL1": 100.0,
        "CRVAL2": 50.0,
        "DATE-BEG": "2020-06-01T09:00:00",
        "FILTER1": "6173",
    }
    frame = frame_from(header)
    assert (frame.profile, frame.ra_deg, frame.filter, frame.site) == ("sst", None, "6173", "la-palma")


@pytest.mark.parametrize(("scale", "seconds"), [("UTC", 0), ("TAI", 37), ("TT", 69.184), ("GPS", 18)])
def test_time_scale_of_the_header_counts(scale, seconds):
    frame = frame_from({"DATE-OBS": "2024-01-01T00:02:00", "TIMESYS": scale})
    assert frame.started_at == datetime(2024, 1, 1, 0, 2, tzinfo=UTC) - timedelta(seconds=seconds)


def test_unknown_time_scale_leaves_the_time_out():
    frame = frame_from({"DATE-OBS": "2024-01-01T00:02:00", "TIMESYS": "LOCAL"})
    assert (frame.started_at, frame.night) == (None, date(2024, 1, 1))
    assert "unknown time scale 'LOCAL'" in frame.warnings[0]


def test_end_after_midnight_is_on_the_next_day():
    frame = frame_from(a_header(DATE_OBS="2026-01-01", UT="23:59:30", UTEND="00:00:30"))
    assert frame.ended_at == datetime(2026, 1, 2, 0, 0, 30, tzinfo=UTC)


def test_end_follows_from_the_exposure_if_the_header_is_silent():
    frame = frame_from({"DATE-OBS": "2026-01-01T10:00:00", "EXPTIME": 90})
    assert frame.ended_at == datetime(2026, 1, 1, 10, 1, 30, tzinfo=UTC)


def test_night_follows_the_longitude_of_an_unknown_site():
    header = {"DATE-OBS": "2026-01-02T01:00:00"}
    assert frame_from({**header, "LONGITUD": 149.0}).night == date(2026, 1, 1)
    assert frame_from({**header, "LONGITUD": 179.0}).night == date(2026, 1, 2)
    assert frame_from({**header, "SITELONG": "-70:48:00"}).night == date(2026, 1, 1)


def test_default_site_applies_only_where_the_headers_are_silent():
    assert frame_from({}, site="coj").site == "coj"
    assert frame_from(a_header(), site="coj").site == "gemini-north"
    assert frame_from({"DATE-OBS": "2026-01-02T03:00:00"}, site="coj").night == date(2026, 1, 2)


@pytest.mark.parametrize(
    ("program", "flags"),
    [
        ("GN-ENG20260101", (True, False, False)),
        ("GS-2023A-ENG-101", (True, False, False)),
        ("G-2026B-ENG-GMOSN-01", (True, False, False)),
        ("GN-CAL20260101", (False, False, True)),
        ("G-2026B-CAL-GMOSN-01", (False, False, True)),
        ("GS-2023A-SV-101", (False, True, False)),
        ("GN-2025B-Q-101", (False, False, False)),
        ("G-2026B-0425-Q", (False, False, False)),
    ],
)
def test_kind_of_a_gemini_program_follows_from_its_name(program, flags):
    frame = frame_from(a_header(GEMPRGID=program))
    assert (frame.engineering, frame.science_verification, frame.calibration_program) == flags


@pytest.mark.parametrize(
    ("cards", "mode", "disperser", "filter_name"),
    [
        (
            {"MASKTYP": 1, "MASKNAME": "0.75arcsec", "GRATING": "B600+_G5307", "FILTER2": "open2-8"},
            "LS",
            "B600",
            "open",
        ),
        (
            {"MASKTYP": 1, "MASKNAME": "GN2025BQ101-02", "GRATING": "R400+_G5305", "FILTER1": "GG455_G0305"},
            "MOS",
            "R400",
            "GG455&r",
        ),
        ({"MASKTYP": -1, "MASKNAME": "IFU-2", "GRATING": "R831+_G5302"}, "IFS", "R831", "r"),
    ],
)
def test_gmos_modes(cards, mode, disperser, filter_name):
    frame = frame_from({**a_header(), **cards})
    assert (frame.mode, frame.disperser, frame.filter, frame.spectroscopy) == (
        mode,
        disperser,
        filter_name,
        True,
    )


def test_value_missing_from_the_primary_header_is_taken_from_an_extension():
    assert frame_from(a_header(), {"XTENSION": "IMAGE", "CCDSUM": "2 2"}).binning == "2x2"


def test_igrins_becomes_public_after_a_year():
    frame = frame_from(a_header(INSTRUME="IGRINS", RELEASE=None, DATE_OBS="2026-01-01"))
    assert frame.release == date(2027, 1, 1)
    assert frame_from(a_header(RELEASE=None)).release is None


def test_instant_of_release_counts_from_the_next_whole_day():
    assert frame_from({"L1PUBDAT": "2016-12-19T18:22:15"}).release == date(2016, 12, 20)
    assert frame_from({"REL_DATE": "2016-12-19T00:00:00"}).release == date(2016, 12, 19)


def test_control_characters_do_not_reach_the_catalog():
    assert frame_from({"OBJECT": "M\x00 31\x07"}).object == "M 31"


def test_warnings_are_few_and_short():
    header = dict.fromkeys(KEYWORDS, "x" * 5000)
    warnings = frame_from(header).warnings
    assert 0 < len(warnings) <= 50
    assert max(map(len, warnings)) < 6000
