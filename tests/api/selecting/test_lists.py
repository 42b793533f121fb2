"""The JSON lists: raw bodies, keys in order, limits, what each selection finds."""

from __future__ import annotations

import json
from datetime import UTC

import pytest

from armillary.access.models import Scope
from tests.api.selecting.conftest import NAMES, Lists

pytestmark = pytest.mark.asyncio(loop_scope="module")

N1, N2, N3, N4, S1, S2 = NAMES
FILE_KEYS = [
    "name",
    "filename",
    "path",
    "compressed",
    "file_size",
    "data_size",
    "file_md5",
    "data_md5",
    "lastmod",
    "mdready",
    "entrytime",
    "present",
    "canonical",
    "size",
    "md5",
    "pending_ingest",
]
FRAME_KEYS = [
    "program_id",
    "engineering",
    "science_verification",
    "processing",
    "calibration_program",
    "observation_id",
    "observation_type",
    "observation_class",
    "data_label",
    "telescope",
    "instrument",
    "ut_datetime",
    "local_time",
    "object",
    "ra",
    "dec",
    "azimuth",
    "elevation",
    "cass_rotator_pa",
    "airmass",
    "filter_name",
    "exposure_time",
    "disperser",
    "camera",
    "central_wavelength",
    "wavelength_band",
    "focal_plane_mask",
    "detector_binning",
    "detector_gain_setting",
    "detector_roi_setting",
    "detector_readspeed_setting",
    "detector_welldepth_setting",
    "detector_readmode_setting",
    "spectroscopy",
    "mode",
    "adaptive_optics",
    "laser_guide_star",
    "wavefront_sensor",
    "gcal_lamp",
    "raw_iq",
    "raw_cc",
    "raw_wv",
    "raw_bg",
    "requested_iq",
    "requested_cc",
    "requested_wv",
    "requested_bg",
    "qa_state",
    "release",
    "reduction",
    "types",
    "phot_standard",
]
HIDDEN = ("ra", "dec", "azimuth", "elevation", "airmass", "object", "cass_rotator_pa")


async def test_a_file_list_has_the_documented_keys_and_bytes(lists: Lists) -> None:
    reply = await lists.get(f"/jsonfilelist/present/filename={N2}")
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["armillary-features"] == "header-export"
    assert reply.headers["armillary-truncated"] == "false"
    (element,) = reply.json()
    assert reply.text == json.dumps([element])
    assert list(element) == FILE_KEYS
    version = await lists.archive.version(N2)
    assert element == element | {
        "name": N2,
        "filename": f"{N2}.bz2",
        "path": "",
        "compressed": True,
        "file_size": lists.paths[N2].stat().st_size,
        "data_size": version.data_size,
        "file_md5": version.file_md5,
        "data_md5": version.data_md5,
        "lastmod": "2023-11-14 22:13:20+00:00",
        "entrytime": str(version.entrytime.astimezone(UTC)),
        "mdready": True,
        "present": True,
        "canonical": True,
        "size": element["file_size"],
        "md5": element["file_md5"],
        "pending_ingest": False,
    }
    assert version.file_md5


async def test_a_summary_has_the_documented_keys_and_values(lists: Lists) -> None:
    reply = await lists.get(f"/jsonsummary/{N1.removesuffix('.fits')}")
    (element,) = reply.json()
    assert reply.text == json.dumps([element])
    assert list(element) == [*FILE_KEYS, *FRAME_KEYS]
    assert element == element | {
        "program_id": "GN-2026A-Q-1",
        "engineering": False,
        "processing": "Raw",
        "observation_id": "GN-2026A-Q-1-1",
        "observation_type": "OBJECT",
        "observation_class": "science",
        "data_label": "GN-2026A-Q-1-1-001",
        "telescope": "Gemini-North",
        "instrument": "GMOS-N",
        "ut_datetime": "2026-01-01 05:00:00.500000",
        "object": "NGC 1/2",
        "ra": 359.999,
        "dec": 0.0,
        "azimuth": 355.0,
        "cass_rotator_pa": 12.5,
        "exposure_time": 60.0,
        "raw_iq": 70,
        "raw_cc": None,
        "raw_wv": 20,
        "raw_bg": 100,
        "qa_state": "Pass",
        "release": "2020-01-01",
        "reduction": "RAW",
        "phot_standard": None,
    }
    assert element["types"] == "{'GEMINI', 'GMOS', 'IMAGE', 'NORTH', 'RAW', 'UNPREPARED'}"


async def test_names_are_lists_of_one_key(lists: Lists) -> None:
    reply = await lists.get("/jsonfilenames/S2026")
    assert reply.text == '[{"name": "S20260102S0001.fits"}, {"name": "S20260102S0002.fits"}]'
    assert reply.headers["armillary-truncated"] == "false"


async def test_quality_states_are_what_the_observing_database_polls(lists: Lists) -> None:
    reply = await lists.get("/jsonqastate/GN-2026A-Q-1-1-002")
    version = await lists.archive.version(N2)
    entered = str(version.entrytime.astimezone(UTC))
    assert reply.text == json.dumps(
        [
            {
                "data_label": "GN-2026A-Q-1-1-002",
                "filename": f"{N2}.bz2",
                "data_md5": version.data_md5,
                "entrytime": entered,
                "qa_state": "Fail",
            }
        ]
    )
    assert reply.headers["armillary-truncated"] == "false"


@pytest.mark.parametrize("surface", ["jsonfilelist", "jsonfilenames", "jsonsummary", "jsonqastate"])
async def test_nothing_found_is_an_empty_list(lists: Lists, surface: str) -> None:
    reply = await lists.get(f"/{surface}/20100101")
    assert (reply.status_code, reply.text) == (200, "[]")
    everything = await lists.get(f"/{surface}")
    assert len(everything.json()) == len(NAMES)
    assert (await lists.get(f"/{surface}//present/")).json() == everything.json()


@pytest.mark.parametrize(
    ("selection", "found"),
    [
        ("GMOS", NAMES),
        ("gmos-s", [S1, S2]),
        ("Gemini-North/present/canonical", [N1, N2, N3, N4]),
        ("notpresent", []),
        ("BIAS", [S2]),
        ("dayCal/20260102", [S2]),
        ("engineering", [N4]),
        ("notengineering/N2", [N1, N2, N3]),
        ("calprog", [S2]),
        ("defaults/GMOS-N", [N1, N3]),
        ("defaults/includeengineering/GMOS-N", [N1, N3, N4]),
        ("Pass/N2026", [N1, N3, N4]),
        ("Fail", [N2]),
        ("CHECK", [S1]),
        ("UndefinedQA", [S2]),
        ("Win/S2", []),
        ("NotFail/20260101", [N1, N3, N4, S1]),
        ("Lucky/S2", [S2]),
        ("LS", [N2]),
        ("imaging/20260101/GMOS-N", [N1, N3, N4]),
        ("R400", [N2]),
        ("disperser=R4", []),
        ("1.0arcsec", [N2]),
        ("GN-2026A-Q-1", [N1, N2]),
        ("GN-2026A-Q-1-1", [N1, N2]),
        ("GN-2026A-Q-1/GN-2026A-Q-2-1", [N3]),
        ("GS-2026A-Q-9/GN-2026A-Q-1-1-002", [N2]),
        ("GS-CAL20260102", [S2]),
        ("progid=GN-2026A-ENG-3", [N4]),
        ("filepre=N20260101S000", [N1, N2, N3, N4]),
        ("filepre=%F4%8F%BF%BF", []),
        ("filepre=%ED%9F%BF", []),
        ("filename=N20260101S0003", [N3]),
        ("exposure_time=300", [N2]),
        ("exposure_time=200-400", [N2]),
        ("raw_bg=Any", [N1]),
        ("raw_bg=50", [N2]),
        ("raw_wv=20", [N1]),
        ("raw_iq=70", [N1]),
        ("az=350-10", [N1]),
        ("el=40-60", [N1]),
        ("crpa=12-13", [N1]),
        ("object=NGC%201=slash=2", [N1]),
        ("object=*1*", [N1, S1, S2]),
        ("object=*1=slash=2", [N1]),
        ("object=NGC*", [N1, N2]),
        ("object=NgC%207", [N2]),
        ("object=NGC", []),
        ("object=ngc%207/sr=0.3d", [N2]),
        ("object=%25", []),
        ("twilight", [N4]),
        ("preimage", [N4]),
        ("notpreimage/N2", [N1, N2, N3]),
        ("PIname=lovelace%20ada", [S1]),
        ("PIname=lovelace%20bob", []),
        ("photstandard", []),
        ("mdgood", NAMES),
        ("mdbad", []),
        ("ra=0/dec=0", [N1]),
        ("ra=359.99/dec=0/sr=3600", [N1]),
        ("ra=0/dec=0/sr=3", []),
        ("ra=350-10/dec=-1-1", [N1]),
        ("20260101", [N1, N2, N3, N4, S1]),
        ("date=20260101/GMOS-S", [S1]),
        ("night=20260101", [N1, N2, N3, N4]),
        ("night=20260102", [S1, S2]),
        ("nightrange=20260101-20260102", NAMES),
        ("daterange=20260102-20260103", [S2]),
        ("2026-01-01T06:00:00--2026-01-01T07:00:00", [N2]),
        ("20260101T060000-20260101T080000", [N2, N3]),
        ("lastmoddaterange=20231114-20231115", NAMES),
        ("lastmoddaterange=20231113-20231114", []),
        ("entrytimedaterange=19990101-20000101", []),
        ("entrytimedaterange=yesterday-tomorrow", NAMES),
        ("entrytimedaterange=2020-01-01T00:00:00.000000%202199-01-01T00:00:00", NAMES),
        ("entrytimedaterange=2199-01-01T00:00:00%202020-01-01T00:00:00", NAMES),
    ],
)  # fmt: skip
async def test_selections_find_what_they_say(lists: Lists, selection: str, found: list[str]) -> None:
    assert await lists.names(selection) == found


@pytest.mark.parametrize(
    "surface", ["jsonfilelist", "jsonfilenames", "jsonsummary", "jsonqastate", "download"]
)
async def test_unknown_selectors_are_refused_everywhere(lists: Lists, surface: str) -> None:
    reply = await lists.get(f"/{surface}/present/NotFial/x%2Fy")
    assert (reply.status_code, reply.headers["content-type"]) == (400, "application/json")
    message = "Unknown selectors: 'NotFial' (did you mean 'NotFail'?), 'x/y'."
    assert reply.text == json.dumps({"error": message, "unrecognised": ["NotFial", "x/y"]})


async def test_malformed_values_say_what_is_wrong(lists: Lists) -> None:
    reply = await lists.get("/jsonsummary/daterange=20260231-20260301")
    error = "daterange=20260231-20260301: '20260231' is no date of the calendar."
    assert reply.status_code == 400
    assert reply.json() == {"error": error, "unrecognised": ["daterange=20260231-20260301"]}
    assert (await lists.get("/jsonsummary/object=a%00b")).status_code == 400
    assert (await lists.get("/jsonsummary/object=%ff%fe")).json() == []


async def test_a_lenient_archive_reports_what_it_left_out(lists: Lists) -> None:
    lists.settings(lenient=True)
    try:
        for surface in ("jsonfilelist", "jsonqastate"):
            reply = await lists.get(f"/{surface}/N2026/b%C3%A4d,word/key=x")
            assert len(reply.json()) == 4
            assert reply.headers["armillary-unrecognised"] == "b%C3%A4d%2Cword, key=x"
        assert "armillary-unrecognised" not in (await lists.get("/jsonfilelist/N2026")).headers
        assert (await lists.get("/jsonfilelist/date=x")).status_code == 400
    finally:
        lists.settings(lenient=False)


async def test_bare_dates_are_nights_at_a_summit(lists: Lists) -> None:
    lists.settings(summit=True)
    try:
        assert await lists.names("20260101") == [N1, N2, N3, N4]
        assert await lists.names("date=20260101") == [N1, N2, N3, N4, S1]
    finally:
        lists.settings(summit=False)


async def test_truncation_is_told_only_when_rows_are_left_out(lists: Lists) -> None:
    lists.settings(open_limit=2, closed_limit=4)
    try:
        for path, rows, truncated in (("present", 2, "true"), ("N2", 4, "false"), ("20260101", 4, "true")):
            for surface in ("jsonfilelist", "jsonfilenames", "jsonsummary"):
                reply = await lists.get(f"/{surface}/{path}")
                found = reply.json()
                assert (len(found), reply.headers["armillary-truncated"]) == (rows, truncated)
                marks = [element.get("results_truncated") for element in found]
                marked = surface == "jsonsummary" and truncated == "true"
                assert marks == [None] * (rows - 1) + [True if marked else None]
        assert len((await lists.get("/jsonqastate")).json()) == len(NAMES)
    finally:
        lists.settings(open_limit=500, closed_limit=2000)


async def test_pages_of_quality_states_join_to_one_list(
    lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await lists.get("/jsonqastate")
    for size in (1, 2, 4):
        monkeypatch.setattr("armillary.api.gemini.lists.PAGE", size)
        assert (await lists.get("/jsonqastate")).text == whole.text
    assert whole.text == json.dumps(whole.json())


async def test_proprietary_coordinates_are_shown_to_the_entitled_only(lists: Lists) -> None:
    for secret in ("", "no such token", await lists.token("stranger", grants={"program": "GN-2026A-Q-77"})):
        element = (await lists.summaries("GN-2026A-Q-2", secret))[N3]
        assert [element[key] for key in HIDDEN] == [None] * len(HIDDEN)
        assert element["data_label"] == "GN-2026A-Q-2-1-001"
        assert element["release"] == "2900-01-01"
    entitled = [
        await lists.token("reader", Scope.READ),
        await lists.token("staff", Scope.ADMIN),
        await lists.token("pi", grants={"program": "GN-2026A-Q-2"}),
        await lists.token("guest", grants={"file": N3}),
    ]
    for secret in entitled:
        element = (await lists.summaries("GN-2026A-Q-2", secret))[N3]
        assert (element["ra"], element["dec"], element["object"], element["airmass"]) == (
            10,
            20,
            "Hidden",
            1.5,
        )
    # Embargoed pixels do not hide coordinates that nobody declared proprietary.
    assert (await lists.summaries("GS-2026A-Q-9"))[S1]["ra"] is not None


@pytest.mark.parametrize(
    "selection",
    [
        "ra=10/dec=20",
        "ra=10/dec=20/sr=180d",
        "ra=9-11",
        "dec=19-21",
        "object=Hidden",
        "object=H*",
        "nottwilight",
    ],
)
async def test_proprietary_coordinates_cannot_be_searched_for(lists: Lists, selection: str) -> None:
    reader = await lists.token(f"reader of {selection}", Scope.READ)
    assert N3 in await lists.names(selection, reader)
    for surface in ("jsonfilelist", "jsonsummary", "jsonqastate"):
        assert N3 not in (await lists.get(f"/{surface}/{selection}")).text
    assert N3 not in await lists.names(selection)


async def test_other_methods_are_refused(lists: Lists) -> None:
    assert (await lists.client.post("/jsonfilelist/present")).status_code == 405
