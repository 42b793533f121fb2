"""Each rule finds the fault that it is for, with its amount; headers that agree with the sky have no findings."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from armillary.headers.rules.service import RULES, SET_RULES, Finding, Severity, Sheet, check, check_set
from tests.support.consistent import DROP, LATITUDE, LONGITUDE, a_sheet, segments_of, values_of

EVENINGS: tuple[dict[str, Any], ...] = (
    {},
    {"begin": "2026-03-02T00:15:00.000", "ra": 98.5, "dec": 4.2},
    {"begin": "2026-03-02T09:00:00.500", "ra": 251.25, "dec": -74.0, "exposure": 300.0},
    {"begin": "2024-12-31T23:59:45.000", "ra": 20.0, "dec": -33.3},
    {"begin": "2016-12-31T23:59:30.000", "ra": 40.0, "dec": -60.0, "exposure": 120.0},
)


@pytest.mark.parametrize("evening", EVENINGS)
def test_a_header_that_agrees_with_the_sky_has_no_findings(evening: dict[str, Any]) -> None:
    assert check(a_sheet(values_of(**evening), hdus=[*segments_of(), *segments_of("R22_S12")])) == []


def test_what_is_not_declared_is_tried() -> None:
    # Hour angles in hours without their unit; degrees as well.
    assert check(a_sheet(units_of={})) == []
    degrees: dict[str, Any] = {key: values_of()[key] * 15 for key in ("HASTART", "HAEND")}
    assert check(a_sheet(units_of={}, **degrees)) == []


def _seconds(values: dict[str, Any], amount: float) -> dict[str, Any]:
    """Return hour angles that many seconds of time larger."""
    return {key: values[key] + amount / 3600 for key in ("HASTART", "HAEND")}


CLEAN = values_of()
FLAT: dict[str, Any] = {"IMGTYPE": "FLAT", "TRACKSYS": "LOCAL"}
GEO = [CLEAN[f"OBSGEO-{axis}"] for axis in "XYZ"]
TURNED = {"AZSTART": (CLEAN["AZSTART"] + 180) % 360, "AZEND": (CLEAN["AZEND"] + 180) % 360}
LOST = values_of(begin="2026-03-02T04:10:42.250")
"""What is true 37 s later: what a program tells that takes TAI for UTC."""

FAULTS: tuple[tuple[str, dict[str, Any], float | None, str], ...] = (
    ("time-order", {"DATE_END": "2026-03-02T04:09:05.250", "MJD_END": DROP}, -60.0, ""),
    ("time-created", {"DATE": "2026-03-02T04:10:20.250"}, -15.0, "middle"),
    ("time-created", {"DATE": "2026-03-02T04:10:01.000"}, -34.25, "DATE is UTC"),
    ("time-mjd", {"MJD_BEG": CLEAN["MJD-BEG"] - 37 / 86400}, -37.0, "TAI-UTC"),
    ("time-mjd", {"MJD_END": CLEAN["MJD-END"] + 0.005 / 86400}, 0.005, ""),
    ("time-epoch", {"DATE_END": "1970-01-01T00:00:00.000", "MJD_END": DROP}, None, "Unix"),
    ("time-epoch", {"MJD_OBS": 0.0}, None, "MJD"),
    ("time-scale", {"TIMESYS": DROP}, None, ""),
    ("time-length", {"EXPTIME": 60.0, "SHUTTIME": 60.0}, -30.0, ""),
    ("time-length", {"DARKTIME": 54343.7}, 54313.7, ""),
    ("time-length", {"EXPTIME": 30000.0, "SHUTTIME": DROP, "DARKTIME": DROP}, -29970.0, "milliseconds"),
    ("time-dark", {"DARKTIME": 12.0}, -18.0, ""),
    ("time-shutter", {"SHUTTIME": 27.0}, -3.0, ""),
    ("identity-obsid", {"SEQNUM": 43}, 1.0, ""),
    ("identity-obsid", {"CAMCODE": "AT"}, None, ""),
    (
        "identity-day",
        {"DAYOBS": "20260302", "OBSID": "CC_O_20260302_000042", "FILENAME": DROP},
        1.0,
        "calendar",
    ),
    ("identity-filename", {"FILENAME": "CC_O_20260301_000041.fits"}, None, ""),
    ("airmass-range", {"AMSTART": 0.87}, -0.13, ""),
    ("airmass-altitude", {"AMSTART": CLEAN["AMSTART"] * 1.05}, 0.05, ""),
    ("airmass-altitude", {"ELSTART": 90 - CLEAN["ELSTART"], "AZSTART": DROP}, None, "zenith distance"),
    ("airmass-sky", {"AMSTART": 1.7, "AMEND": 1.7, "ELSTART": DROP, "ELEND": DROP}, None, ""),
    (
        "airmass-trend",
        {key: value for key, value in values_of(ra=100.0).items() if key in ("RA", "DEC", "HASTART", "HAEND")}
        | {"AMSTART": 1.51234, "AMEND": 1.51234, "ELSTART": DROP, "ELEND": DROP},
        None,
        "twice",
    ),
    ("hour-angle", _seconds(CLEAN, 37.1), 37.1, "TAI-UTC lost (37 s)"),
    ("hour-angle", {"HASTART": -CLEAN["HASTART"] + 1e-9, "RA": 150.0}, None, ""),
    ("hour-angle", {"HASTART": CLEAN["HASTART"] + 12}, None, "half a turn"),
    ("hour-angle", _seconds(CLEAN, -1000.0), -1000.0, ""),
    ("hour-angle-rate", {"HAEND": CLEAN["HASTART"]}, -30.08, "twice"),
    ("sidereal-time", {"LST": "05:11:12.0"}, None, ""),
    ("pointing-horizon", TURNED, None, "from the south"),
    ("pointing-horizon", {"ELSTART": CLEAN["ELSTART"] + 0.5, "ELEND": CLEAN["ELEND"] + 0.5}, 0.5, ""),
    ("pointing-horizon", {key: LOST[key] for key in ("AZSTART", "ELSTART")}, 0.1453, "TAI-UTC lost"),
    ("pointing-elevation", {"ELSTART": 98.0}, 2.45, ""),
    ("pointing-range", {"DEC": -93.0}, -3.0, ""),
    ("pointing-track", {"RASTART": 10.0}, None, "hours for degrees"),
    ("pointing-track", {"RASTART": 151.0}, 0.9397, ""),
    ("rotation-range", {"ROTPA": 400.0}, 360.0, "turn"),
    ("rotation-parallactic", {"ROTPA": 73.0}, None, ""),
    ("rotation-rate", {"ROTEND": CLEAN["ROTSTART"]}, None, "twice"),
    ("rotation-rate", {"ROTEND": CLEAN["ROTEND"] + 90}, None, "jump of 90"),
    ("units-range", {"PRESSURE": 743.1}, None, "hPa for Pa"),
    ("units-range", {"AIRTEMP": 284.6}, None, "K for C"),
    ("units-range", {"FOCUSZ": 120.0}, None, "um for mm"),
    ("units-range", {"HUMIDITY": 0.31}, None, "fraction"),
    ("units-angle", {"RA": math.radians(150.0), "DEC": math.radians(-20.0)}, None, "radians"),
    ("units-angle", {"RA": 10.0}, None, "hours"),
    ("site-geocentric", {"OBSGEO_X": GEO[0] + 500.0}, 500.0, ""),
    ("site-geocentric", {"OBSGEO_Y": -GEO[1]}, None, "sign of the longitude"),
    ("site-hemisphere", {"OBSGEO_Z": -GEO[2]}, None, "sign of Z"),
    ("site-known", {"TELESCOP": "Gemini-North"}, None, ""),
    (
        "site-known",
        {"TELESCOP": "Gemini-South", "OBS_LONG": 70.73669, "OBS_LAT": -30.24075},
        None,
        "to the west",
    ),
    (
        "stale-mount",
        {"AZSTART": 200.0, "AZEND": 200.0, "ELSTART": CLEAN["ELSTART"], "ELEND": CLEAN["ELSTART"]},
        None,
        "twice",
    ),
    ("stale-commanded", {"FILTCMD": "g_01"}, None, ""),
    ("placeholder-tiny", {"AMSTART": 6.92400871089033e-310}, None, ""),
    ("placeholder-nan", {"AIRTEMP": math.nan}, None, ""),
    ("placeholder-zero", {"RA": 0.0, "DEC": 0.0}, None, ""),
    ("placeholder-zero", {"PRESSURE": 0.0}, None, ""),
    ("placeholder-sentinel", {"AIRTEMP": -999.0}, None, ""),
    ("placeholder-sentinel", {"SEEING": -1}, None, ""),
    ("placeholder-word", {"FILTER": "UNKNOWN"}, None, ""),
    ("placeholder-word", {"OBJECT": "nan"}, None, ""),
    ("placeholder-blank", {"OBJECT": "   "}, None, ""),
    ("vocabulary-word", {"RADESYS": "RADEC"}, None, "a value of TRACKSYS"),
    ("vocabulary-word", {"TIMESYS": "TIA"}, None, ""),
    ("vocabulary-word", {"IMGTYPE": "PICTURE"}, None, ""),
    ("vocabulary-object", {"OBJECT": "FLAT"}, None, "IMGTYPE"),
    ("vocabulary-object", {"OBJECT": "spec:HD 12345"}, None, "prefix"),
    ("fits-keyword", {"EXPTIME.S": 1.0, "air temp/c": 11.0}, None, ""),
)


def found_by(rule: str, findings: list[Finding]) -> list[Finding]:
    return [one for one in findings if one.rule == rule]


@pytest.mark.parametrize(("rule", "changes", "residual", "hypothesis"), FAULTS)
def test_a_rule_finds_the_fault_that_it_is_for(
    rule: str, changes: dict[str, Any], residual: float | None, hypothesis: str
) -> None:
    found = found_by(rule, check(a_sheet(**changes)))
    assert found
    first = found[0]
    if residual is not None:
        assert first.residual == pytest.approx(residual, rel=0.01, abs=0.002)
    assert hypothesis in (first.hypothesis or "")
    assert first.text
    assert first.file == "one.fits"


@pytest.mark.parametrize(
    "key", ["hour-angle", "hour-angle-rate", "pointing-horizon", "airmass-trend", "stale-mount"]
)
def test_the_sky_is_not_asked_where_the_telescope_stands(key: str) -> None:
    changes: dict[str, Any] = {"HASTART": 3.0, "HAEND": 3.0, "AZSTART": 0.0, "AZEND": 0.0, "ELSTART": 30.0}
    assert found_by(key, check(a_sheet(**FLAT, **changes))) == []


def _with(changes: Callable[[list[tuple[str, dict[str, Any]]]], None]) -> Sheet:
    hdus = segments_of()
    changes(hdus)
    return a_sheet(hdus=hdus)


def _shrink(hdus: list[tuple[str, dict[str, Any]]]) -> None:
    hdus[3][1]["DETSEC"] = hdus[2][1]["DETSEC"]


DETECTOR_FAULTS: tuple[tuple[str, Callable[[list[tuple[str, dict[str, Any]]]], None], str], ...] = (
    ("detectors-block", lambda hdus: hdus[2][1].update(OBSID="CC_O_20260301_000041"), "OBSID"),
    ("detectors-null", lambda hdus: hdus[5][1].update(DTV1=None), "DTV1"),
    ("detectors-name", lambda hdus: hdus[0][1].update(CCDSLOT="S12"), "CCDSLOT"),
    ("detectors-name", lambda hdus: hdus.append(hdus[4]), "EXTNAME"),
    ("detectors-mapping", lambda hdus: hdus[1][1].update(DTV1=510), "DTV1"),
    ("detectors-tiling", _shrink, "DETSEC"),
)


@pytest.mark.parametrize(("rule", "spoil", "keyword"), DETECTOR_FAULTS)
def test_a_fault_of_a_detector_is_found(
    rule: str, spoil: Callable[[list[tuple[str, dict[str, Any]]]], None], keyword: str
) -> None:
    (first, *_) = found_by(rule, check(_with(spoil)))
    assert keyword in first.keyword


def test_a_card_twice_is_found_and_one_with_another_value_matters_more() -> None:
    sheet = a_sheet()
    again = Sheet(
        (sheet.pages[0].__class__("PRIMARY", (*sheet.pages[0].cells, sheet.cells["RA"])),), "one.fits"
    )
    (note,) = check(again)
    assert (note.rule, note.severity) == ("fits-duplicate", Severity.NOTE)


def test_samples_from_after_their_moment_and_old_ones_are_found() -> None:
    def aged(age: float) -> Sheet:
        sheet = a_sheet()
        page = sheet.pages[0]
        cells = [
            cell.__class__(cell.keyword, cell.value, "", cell.unit, age, "asof")
            if cell.keyword == "AIRTEMP"
            else cell
            for cell in page.cells
        ]
        return Sheet((page.__class__("PRIMARY", tuple(cells)),), "one.json")

    assert check(aged(3.0)) == []
    (late,) = check(aged(-2.0))
    assert (late.rule, late.keyword, late.residual, late.severity) == (
        "stale-age",
        "AIRTEMP",
        -2.0,
        Severity.ERROR,
    )
    (old,) = check(aged(90000.0))
    assert old.residual == pytest.approx(3600.0)


def a_night(count: int = 8) -> list[dict[str, Any]]:
    """Return consecutive exposures, a minute apart, each of another field."""
    return [
        values_of(seq, f"2026-03-02T04:{seq:02d}:00.000", ra=120.0 + 4 * seq) for seq in range(1, count + 1)
    ]


def sheets_of_night(night: list[dict[str, Any]]) -> list[Sheet]:
    return [a_sheet(values, file=f"{n}.fits") for n, values in enumerate(night, 1)]


def test_a_night_that_agrees_with_the_sky_has_no_findings() -> None:
    sheets = sheets_of_night(a_night())
    assert check_set(sheets) == []
    assert [one for sheet in sheets for one in check(sheet)] == []


def _gap(night: list[dict[str, Any]]) -> None:
    del night[4]


def _repeat(night: list[dict[str, Any]]) -> None:
    night[4] |= {key: night[3][key] for key in ("OBSID", "SEQNUM")}


def _overlap(night: list[dict[str, Any]]) -> None:
    night[4] |= {
        key: night[3][key] for key in ("DATE-BEG", "DATE-OBS", "DATE-END", "MJD-BEG", "MJD-OBS", "MJD-END")
    }


def _freeze(*keys: str) -> Callable[[list[dict[str, Any]]], None]:
    def freeze(night: list[dict[str, Any]]) -> None:
        for values in night[2:7]:
            values |= {key: night[2][key] for key in keys}

    return freeze


def _weather(night: list[dict[str, Any]]) -> None:
    for n, values in enumerate(night):
        hour = n + 1
        values |= {"AIRTEMP": 10.0, "PRESSURE": 74000.0, "HUMIDITY": 20.0}
        values |= dict.fromkeys(("DATE-BEG", "DATE-OBS"), f"2026-03-02T{hour:02d}:00:00.000") | {
            "DATE-END": None
        }


SET_FAULTS: tuple[tuple[str, Callable[[list[dict[str, Any]]], None], str, float | None], ...] = (
    ("identity-gap", _gap, "5.fits", 1.0),
    ("identity-repeat", _repeat, "5.fits", 60.0),
    ("identity-overlap", _overlap, "5.fits", 30.0),
    ("identity-spelling", lambda night: night[3].update(INSTRUME="TestCam"), "4.fits", None),
    ("stale-frozen", _freeze("AZSTART", "ELSTART"), "7.fits", 5.0),
    ("stale-frozen", _freeze("HASTART"), "7.fits", 5.0),
    ("stale-frozen", _weather, "8.fits", 8.0),
    ("units-neighbours", lambda night: night[5].update(PRESSURE=743.16), "6.fits", 0.01),
    ("units-neighbours", lambda night: night[5].update(AIRTEMP=284.6), "6.fits", None),
    ("rotation-turn", lambda night: night[5].update(ROTPA=-140.0), "6.fits", 180.0),
    ("rotation-turn", lambda night: night[5].update(ROTPA=130.0), "6.fits", 90.0),
)


@pytest.mark.parametrize(("rule", "spoil", "file", "residual"), SET_FAULTS)
def test_what_only_many_headers_show_is_found(
    rule: str, spoil: Callable[[list[dict[str, Any]]], None], file: str, residual: float | None
) -> None:
    night = [dict(one) for one in a_night()]
    spoil(night)
    found = found_by(rule, check_set(sheets_of_night(night)))
    assert [one.file for one in found] == [file]
    if residual is not None:
        assert abs(found[0].residual or 0.0) == pytest.approx(residual, abs=0.5 if "turn" in rule else 0.01)


def test_fewer_detectors_than_the_other_images_have_are_noticed() -> None:
    whole = [*segments_of(), *segments_of("R22_S12")]
    sheets = [
        a_sheet(values, file=f"{n}.fits", hdus=whole if n != 3 else segments_of())
        for n, values in enumerate(a_night())
    ]
    (found,) = check_set(sheets)
    assert (found.rule, found.file, found.residual) == ("detectors-set", "3.fits", -1.0)


def test_every_rule_has_a_test_that_finds_its_fault() -> None:
    elsewhere = {"fits-readable", "fits-card", "fits-duplicate", "stale-age", "detectors-set"}
    tried = {rule for rule, *_ in (*FAULTS, *DETECTOR_FAULTS, *SET_FAULTS)}
    assert {rule.id for rule in RULES} | {rule.id for rule in SET_RULES} == tried | elsewhere


def test_a_tolerance_can_be_another_one() -> None:
    sheet = a_sheet(**_seconds(CLEAN, 10.0))
    assert found_by("hour-angle", check(sheet))
    assert not found_by("hour-angle", check(sheet, tolerances={"hour-angle": 20.0}))


def test_the_site_may_come_with_the_call() -> None:
    from armillary.headers.rules.service import Place

    nowhere = dict.fromkeys(("OBS_LAT", "OBS_LONG", "OBS_ELEV", "OBSGEO_X", "OBSGEO_Y", "OBSGEO_Z"), DROP)
    changes = nowhere | _seconds(CLEAN, 37.1)
    sheet = a_sheet(**changes)
    assert not found_by("hour-angle", check(sheet))
    there = Sheet(sheet.pages, sheet.file, Place(LATITUDE, LONGITUDE, 2663.0))
    assert found_by("hour-angle", check(there))
