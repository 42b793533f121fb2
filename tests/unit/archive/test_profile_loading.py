"""Profiles of a site beside the packaged ones, and what is said about a bad one."""

from datetime import date

import pytest

from armillary.archive.intake.profiles import BadProfile, load_profiles
from tests.support.frames import frame_from

GOOD = """
name = "my_camera"
title = "The camera in my garden"
extends = "generic"
priority = 30
match = [{ INSTRUME = "GardenCam" }]

[fields]
site = [{ value = "garden" }]
exposure_s = [{ keyword = "EXPMS", unit = "ms" }]
central_wavelength_um = [{ keyword = "LAMBDA", unit = "nm" }]
filter = [{ keyword = "SLOT", map = { 1 = "B", 2 = "V" } }]
"""


def loaded(tmp_path, text, name="my_camera.toml"):
    (tmp_path / name).write_text(text)
    return load_profiles(tmp_path)


def test_own_profile_joins_the_packaged_ones(tmp_path):
    profiles = loaded(tmp_path, GOOD)
    header = {"INSTRUME": "gardencam", "EXPMS": 1500, "LAMBDA": 656.3, "SLOT": 2, "OBJECT": "Moon"}
    frame = frame_from(header, profiles=profiles)
    assert (frame.profile, frame.site, frame.exposure_s, frame.filter) == ("my_camera", "garden", 1.5, "V")
    assert (frame.object, frame.central_wavelength_um) == ("Moon", pytest.approx(0.6563))
    assert frame_from({"INSTRUME": "other"}, profiles=profiles).profile == "generic"


def test_values_get_text_behind_them_and_keep_words_that_no_map_has(tmp_path):
    source = '{ keyword = "SLIT", map = { wide = "broad" }, keep_unmapped = true, append = " slit" }'
    profiles = loaded(tmp_path, f"{GOOD}focal_plane_mask = [{source}]")
    headers = [{"INSTRUME": "gardencam", "SLIT": word} for word in ("Wide", "5 um")]
    masks = [frame_from(header, profiles=profiles).focal_plane_mask for header in headers]
    assert masks == ["broad slit", "5 um slit"]


def test_own_profile_replaces_a_packaged_one_of_its_name(tmp_path):
    profiles = loaded(tmp_path, GOOD.replace("my_camera", "sst"))
    assert profiles["sst"].title == "The camera in my garden"


def test_own_sites_name_their_nights(tmp_path):
    (tmp_path / "sites.toml").write_text(
        '[garden]\nlongitude_deg = 10\nlatitude_deg = 50\nnight = "civil_noon"\nzone = "Europe/Berlin"\n'
    )
    profiles = loaded(tmp_path, GOOD)
    frame = frame_from({"INSTRUME": "GardenCam", "DATE-OBS": "2026-07-02T09:59:00"}, profiles=profiles)
    assert frame.night == date(2026, 7, 1)
    assert "coj" in profiles.sites


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('unit = "ms"', 'unti = "ms"', r"exposure_s\.0\.unti: unknown option; did you mean 'unit'\?"),
        ('unit = "ms"', 'unit = "fortnight"', "unknown unit 'fortnight'; known are"),
        ("exposure_s =", "exposure =", "unknown field 'exposure'; known are"),
        (
            'extends = "generic"',
            'extends = "genric"',
            "extends 'genric', which is not here; did you mean 'generic'",
        ),
        ('extends = "generic"', 'extends = "my_camera"', "extends itself through 'my_camera'"),
        ('"GardenCam"', '{ regex = "(" }', "not a regular expression"),
        ('{ value = "garden" }', "{ }", "needs `keyword`, `keywords` or `value`"),
        ("[fields]", "[fields", r"my_camera\.toml: .*line"),
        ('title = "The camera in my garden"', "", "title: Field required"),
        ("priority = 30", 'priority = 30\ntime_scale = "TCB"', "time_scale"),
    ],
)
def test_bad_profile_is_refused_with_its_place_and_reason(tmp_path, old, new, message):
    with pytest.raises(BadProfile, match=message) as caught:
        loaded(tmp_path, GOOD.replace(old, new))
    assert caught.value.code == "bad_profile"
    assert "my_camera" in caught.value.message


def test_unknown_time_zone_of_a_site_is_refused(tmp_path):
    (tmp_path / "sites.toml").write_text(
        '[garden]\nlongitude_deg = 10\nlatitude_deg = 50\nnight = "civil_noon"\nzone = "Europe/Atlantis"\n'
    )
    with pytest.raises(BadProfile, match="'Europe/Atlantis' is not a time zone"):
        load_profiles(tmp_path)


def test_more_particular_profile_wins_over_a_general_one():
    names = [profile.name for profile in load_profiles().ordered]
    assert names.index("gemini_gmos") < names.index("gemini") < names.index("generic") == len(names) - 1
