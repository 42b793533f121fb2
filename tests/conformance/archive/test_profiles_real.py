"""Frames of real headers from six observatories. Expected values were read from the headers by eye."""

import gzip
from datetime import UTC, date, datetime, time

import pytest

from armillary.archive.models import QaState
from armillary.fits.header import read_values
from armillary.fits.scan import scan
from tests.support.frames import frame_from, headers_of_file, headers_of_text
from tests.support.realdata import REALDATA, needs_realdata

pytestmark = needs_realdata
MILLIARCSECOND = 1 / 3_600_000


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def frame_of_text(name):
    headers = headers_of_text(REALDATA / "headers" / f"{name}.header")
    return frame_from(*headers, filename=name)


def frame_of_file(name):
    return frame_from(*headers_of_file(REALDATA / "fits" / name), filename=name)


def holds(frame, **expected):
    assert {name: getattr(frame, name) for name in expected} == expected


def points_at(frame, ra_deg, dec_deg, tolerance_deg=MILLIARCSECOND):
    assert frame.ra_deg == pytest.approx(ra_deg, abs=tolerance_deg)
    assert frame.dec_deg == pytest.approx(dec_deg, abs=tolerance_deg)


def test_gemini_north_niri_image():
    frame = frame_of_text("N20030325S0098.fits")
    holds(
        frame,
        profile="gemini_niri",
        site="gemini-north",
        telescope="Gemini-North",
        instrument="NIRI",
        night=date(2003, 3, 25),
        started_at=at("2003-03-25T06:01:59.7"),
        ended_at=at("2003-03-25T06:02:49.2"),
        local_time=time(20, 1, 59, 200_000),
        coadds=3,
        filter="Kprime",
        object="B2 0902+34--NE",
        program="GN-2003A-Q-51",
        observation_id="GN-2003A-Q-51-2",
        data_label="GN-2003A-Q-51-2-004",
        observation_type="OBJECT",
        qa_state=QaState.PASS,
        raw_iq=70,
        raw_cc=70,
        raw_wv=80,
        raw_bg=80,
        release=date(2004, 9, 25),
        airmass=1.079,
        camera="f6",
        focal_plane_mask="f6-cam",
        pupil_mask="pupil38",
        readmode_setting="Medium_Background",
        welldepth_setting="Shallow",
        binning="1x1",
        spectroscopy=False,
        wavelength_band="K",
        reduction="RAW",
        engineering=False,
        proprietary_coordinates=False,
        warnings=(),
    )
    assert frame.exposure_s == pytest.approx(3 * 15.001)
    assert frame.central_wavelength_um is None
    points_at(frame, 136.375908056217, 34.1303349090605)


def test_gemini_south_ghost_bundle_is_read_from_its_primary_header():
    frame = frame_of_text("S20230518S0121.fits")
    holds(
        frame,
        profile="gemini_ghost",
        site="gemini-south",
        night=date(2023, 5, 18),
        started_at=at("2023-05-18T09:12:53.5"),
        exposure_s=1200.0,
        observation_class="science",
        science_verification=True,
        raw_iq=100,
        raw_cc=50,
        raw_wv=None,
        raw_bg=80,
        requested_iq=85,
        qa_state=QaState.UNDEFINED,
        release=date(2023, 6, 18),
        binning="2x4",
        wavefront_sensor="PWFS2",
        proprietary_coordinates=False,
        warnings=(),
    )
    points_at(frame, 11.6508125, -37.65932222222222)


def test_gemini_north_nifs_arc_behind_adaptive_optics():
    frame = frame_of_file("wrgnN20140428S0085_arc.fits")
    holds(
        frame,
        profile="gemini_nifs",
        observation_type="ARC",
        observation_class="partnerCal",
        filter="HK",
        disperser="K",
        qa_state=QaState.USABLE,
        raw_wv=None,
        raw_bg=20,
        adaptive_optics=True,
        laser_guide_star=False,
        wavefront_sensor="AOWFS",
        gcal_lamp="Ar",
        reduction="PREPARED",
        mode="IFS",
        central_wavelength_um=2.2,
        night=date(2014, 4, 28),
    )


def test_las_cumbres_reduced_image_equals_its_compressed_twin():
    plain = frame_of_file("coj1m011-kb05-20150219-0125-e90.fits")
    holds(
        plain,
        profile="las_cumbres",
        site="coj",
        telescope="1m0-11",
        instrument="kb05",
        night=date(2015, 2, 19),
        started_at=at("2015-02-19T13:56:05.261"),
        ended_at=at("2015-02-19T13:56:16.589"),
        exposure_s=10.0,
        filter="V",
        object="M84",
        program="LCOEPO2014B-010",
        observation_id="53195954",
        release=date(2015, 2, 20),
        reduction="PROCESSED_SCIENCE",
        binning="2x2",
        warnings=(),
    )
    points_at(plain, 15 * (12 + 25 / 60 + 3.844 / 3600), 12 + 53 / 60 + 13.04 / 3600)
    assert frame_of_file("coj1m011-kb05-20150219-0125-e90.fits.fz") == plain


def test_las_cumbres_morning_belongs_to_the_night_that_began_the_day_before():
    frame = frame_of_file("lsc1m005-kb78-20151109-0179-e90.fits")
    holds(
        frame, night=date(2015, 11, 9), started_at=at("2015-11-10T08:01:07.021"), release=date(2016, 11, 11)
    )


def test_las_cumbres_bias_has_no_object_and_is_public():
    frame = frame_of_file("coj1m011-fl08-20151216-0049-b00.fits.fz")
    holds(
        frame,
        object=None,
        observation_type="BIAS",
        exposure_s=0.0,
        release=date(2015, 12, 17),
        reduction="RAW",
        night=date(2015, 12, 16),
    )


def test_rubin_times_are_atomic_time_and_become_utc():
    frame = frame_of_text("CC_O_20200521_000008")
    holds(
        frame,
        profile="rubin",
        site="cerro-pachon",
        instrument="ComCam",
        night=date(2020, 5, 21),
        started_at=at("2020-05-21T21:55:41.280"),  # 37 s before the TAI reading 21:56:18.280
        observation_id="CC_O_20200521_000008",
        observation_type="FLAT",
        exposure_s=2.0,
        ra_deg=None,
        airmass=None,
    )
    assert frame.warnings == (
        "AMSTART = 6.92400871089033e-310: not within 0.99..40",
        "AMEND = 6.92400871089033e-310: not within 0.99..40",
    )


def test_rubin_auxiliary_telescope():
    frame = frame_of_text("AT_O_20190531_000001")
    holds(
        frame,
        instrument="LATISS",
        filter="r",
        disperser="R400",
        ra_deg=10.0,
        dec_deg=-35.0,
        azimuth_deg=45.0,
        elevation_deg=75.0,
        airmass=1.78,
        exposure_s=3.0,
        warnings=(),
    )


def test_cfht_image_by_the_generic_profile():
    frame = frame_of_text("1709071o.fits")
    holds(
        frame,
        profile="generic",
        telescope="CFHT 3.6m",
        instrument="WIRCam",
        night=date(2014, 5, 11),
        started_at=at("2014-05-12T10:18:55.32"),
        ended_at=at("2014-05-12T10:19:59.22"),
        filter="H",
        program="14AD99",
        release=date(2015, 2, 1),
        binning="1x1",
        warnings=(),
    )
    points_at(frame, 210.68608, 54.41167)


def test_dao_spectrum_is_precessed_from_its_own_equinox():
    frame = frame_of_text("dao_c122_2016_007777.fits")
    holds(frame, profile="generic", exposure_s=3600.0, program="DAO122_2016C5", observation_id=None)
    # astropy: SkyCoord("00:48:53.8 +74:55:32", frame=FK5(equinox="J2016.5")).transform_to(FK5) to 0.5 arcsec
    points_at(frame, 11.94158, 74.83573, tolerance_deg=0.5 / 3600)


@pytest.mark.parametrize("name", ["SmallFile.fits.gz", "image.fits"])
def test_files_that_tell_nothing_still_have_a_frame(name):
    holds(frame_of_file(name), profile="generic", instrument=None, night=None, ra_deg=None, warnings=())


@pytest.mark.parametrize("path", sorted((REALDATA / "fits").glob("*")), ids=lambda path: path.name)
def test_own_reader_gives_the_frame_that_astropy_gives(path):
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    layout = scan(lambda offset, size: data[offset : offset + size], len(data))
    own = frame_from(*[read_values(header) for header in layout.headers], filename=path.name)
    assert own == frame_from(*headers_of_file(path), filename=path.name)
