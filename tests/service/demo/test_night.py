"""The demonstration night: a real archive's variety, and headers that agree with themselves."""

import bz2
import gzip
import io
from collections import Counter
from datetime import UTC, date, datetime

import numpy as np
import pytest
from astropy.io import fits

from armillary.archive.intake.profiles import load_profiles
from armillary.archive.models import QaState
from armillary.demo import make_night
from armillary.demo.gmos import Exposure, make_gmos
from armillary.demo.imagers import Shot, make_photon_ranch
from armillary.demo.pointing import Target
from armillary.fits.checksum import ones_sum, verify_checksum
from armillary.fits.header import read_values
from armillary.fits.scan import scan
from armillary.sky.coordinates import separation_deg
from tests.support.frames import frame_from

PROFILES = load_profiles()


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return make_night(tmp_path_factory.mktemp("night"))


def uncompressed(path):
    data = path.read_bytes()
    return (
        bz2.decompress(data)
        if path.suffix == ".bz2"
        else gzip.decompress(data)
        if path.suffix == ".gz"
        else data
    )


@pytest.fixture(scope="module")
def units(paths):
    """The headers of each file with the sums of their data; the files are unpacked once for all tests."""
    found = {}
    for path in paths:
        data = uncompressed(path)
        layout = scan(lambda offset, size, data=data: data[offset : offset + size], len(data))
        sums = [ones_sum(data[hdu.data_offset : hdu.end]) for hdu in layout.hdus]
        found[path.name] = list(zip(layout.headers, sums, strict=True))
    return found


@pytest.fixture(scope="module")
def frames(units):
    return {
        name: frame_from(*(read_values(header) for header, _ in one), filename=name, profiles=PROFILES)
        for name, one in units.items()
    }


def test_night_is_36_files_in_every_container_and_under_60_megabytes(paths):
    assert len(paths) == len({path.name for path in paths}) == 36
    assert sum(path.stat().st_size for path in paths) < 60e6
    assert Counter(path.suffix for path in paths).keys() == {".fits", ".bz2", ".gz", ".fz"}


def test_every_instrument_is_recognised_without_a_warning(frames):
    assert Counter(frame.profile for frame in frames.values()) == {
        "gemini_gmos": 16,
        "las_cumbres": 10,
        "photon_ranch": 10,
    }
    assert {name: frame.warnings for name, frame in frames.items() if frame.warnings} == {}


def test_every_frame_belongs_to_the_one_night(frames):
    assert {frame.night for frame in frames.values()} == {date(2026, 1, 1)}
    assert {frame.site for frame in frames.values()} == {"gemini-north", "cpt", "mrc"}


def test_every_telescope_points_above_its_horizon(frames):
    assert min(frame.elevation_deg for frame in frames.values()) > 15
    assert all(1.0 <= frame.airmass < 4 for frame in frames.values())


def test_airmass_agrees_with_elevation_to_two_percent(frames):
    for frame in frames.values():
        assert frame.airmass == pytest.approx(1 / np.sin(np.radians(frame.elevation_deg)), rel=0.02)


def test_night_has_calibrations_standards_science_and_every_state_of_quality(frames):
    gemini = [frame for frame in frames.values() if frame.profile == "gemini_gmos"]
    assert {frame.observation_type for frame in gemini} == {"BIAS", "FLAT", "ARC", "OBJECT"}
    assert {frame.observation_class for frame in gemini} >= {"science", "partnerCal", "progCal", "dayCal"}
    assert {frame.qa_state for frame in gemini} == set(QaState) - {QaState.CHECK}
    assert {frame.mode for frame in gemini} == {"imaging", "LS"}
    assert len({frame.data_label for frame in gemini}) == 16
    assert sum(frame.engineering for frame in gemini) == 2
    assert sum(frame.calibration_program for frame in gemini) == 4


def test_night_has_public_and_proprietary_frames(frames):
    later = date(2026, 6, 1)
    assert all(frame.release for frame in frames.values())
    assert Counter(frame.release > later for frame in frames.values()) == {True: 15, False: 21}


def test_every_checksum_is_right(units):
    assert len(units) == 36
    for name, one in units.items():
        for header, data_sum in one:
            assert b"CHECKSUM" in header
            assert verify_checksum(header, data_sum), name


@pytest.mark.parametrize("ending", ["S0001.fits.bz2", "S0004.fits", "0004-e91.fits.fz", "EP00.fits.gz"])
def test_astropy_finds_the_checksums_right(paths, ending):
    path = next(path for path in paths if path.name.endswith(ending))
    # Unpacked first: astropy would do so again for each look back.
    with fits.open(io.BytesIO(uncompressed(path)), disable_image_compression=True) as hdus:
        assert {hdu.verify_checksum() for hdu in hdus} == {hdu.verify_datasum() for hdu in hdus} == {1}


def test_compressed_pixels_are_those_of_a_plain_file(paths):
    by_name = {path.name: path for path in paths}
    raw = fits.getdata(by_name["mrc-kf01-20260101-00000006-EX00.fits"])
    reduced, header = fits.getdata(by_name["mrc-kf01-20260101-00000006-EX10.fits.fz"], header=True)
    assert np.array_equal(reduced, ((raw.astype(np.float32) - 1000) * np.float32(1.4)).astype(np.int32))
    assert header["OBJECT"] == "M 51"


def test_gemini_file_has_a_primary_header_and_four_amplifiers_with_overscan(paths):
    with fits.open(paths[4]) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "SCI", "SCI", "SCI", "SCI"]
        assert {hdu.data.shape for hdu in hdus[1:]} == {(1024, 288)}
        overscan = np.hstack([hdu.data[:, 256:] for hdu in hdus[1:]])
        assert np.median(overscan) == pytest.approx(1000, abs=1)
        assert np.median(hdus[2].data[:, :256]) > 1300


def test_sky_has_stars_above_the_noise(paths):
    with fits.open(paths[-4]) as hdus:
        pixels = hdus[0].data.astype(float)
    noise = 1.4826 * np.median(np.abs(pixels - np.median(pixels)))
    assert 1e-3 < np.mean(pixels > np.median(pixels) + 10 * noise) < 0.2


def test_frames_of_one_target_share_a_position(frames):
    galaxy = [frame for frame in frames.values() if frame.object == "NGC 891"]
    first = galaxy[0]
    assert len(galaxy) == 3
    assert all(separation_deg(f.ra_deg, f.dec_deg, first.ra_deg, first.dec_deg) < 1e-6 for f in galaxy)


def test_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    when = datetime(2026, 1, 2, 8, tzinfo=UTC)
    shot = Shot("light", Target("M 81", 148.8882, 69.0653, galaxy=True), when, 30.0, "w", 9)
    frame = Exposure("BIAS", shot.target, when, 0.0, "GN-CAL20260101", 1, 1)
    for make, plan, name in ((make_photon_ranch, shot, "a.fits.fz"), (make_gmos, frame, "a.fits.bz2")):
        first, again, other = (make(tmp_path / name, plan, seed=seed).read_bytes() for seed in (1, 1, 2))
        assert first == again != other
