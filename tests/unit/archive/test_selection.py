"""The selection grammar: what every kind of segment means, and what is refused."""

from __future__ import annotations

import pytest

from armillary.archive.query.cones import Cone
from armillary.archive.query.grammar import MalformedSelector, Selection
from armillary.archive.query.grammar.keys import COORDINATES, KEYS
from armillary.archive.query.grammar.words import FOLDED, WORDS
from armillary.archive.query.models import (
    Among,
    Anything,
    Around,
    Between,
    Component,
    Differs,
    Flag,
    InCone,
    InHeader,
    Like,
    Nothing,
    Starts,
    TaggedOrRaw,
    Term,
)
from tests.support.selections import selected, terms


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ("Gemini-North", Among("telescope", ("Gemini-North",))),
        ("geminisouth", Among("telescope", ("Gemini-South",))),
        ("GMOS", Among("instrument", ("GMOS-N", "GMOS-S"))),
        ("gmos-n", Among("instrument", ("GMOS-N",))),
        ("trecs", Among("instrument", ("TReCS",))),
        ("BIAS", Among("observation_type", ("BIAS",))),
        ("MASK", Among("observation_type", ("MASK",))),
        ("partnerCal", Among("observation_class", ("partnerCal",))),
        ("arc", Among("observation_type", ("ARC",))),
        ("processed_fringe", Among("reduction", ("PROCESSED_FRINGE",))),
        ("Raw", Among("processing", ("Raw",))),
        ("Quick-Look", Among("processing", ("Quick-Look",))),
        ("Science-Quality", Among("processing", ("Science-Quality",))),
        ("RAW", Among("reduction", ("RAW",))),
        ("PREPARED", Among("reduction", ("PREPARED",))),
        ("PROCESSED_ARC", Among("reduction", ("PROCESSED_ARC",))),
        ("MIRROR", Component("disperser", "MIRROR")),
        ("B600", Component("disperser", "B600")),
        ("0.75arcsec", Among("focal_plane_mask", ("0.75arcsec",))),
        ("NS2.0arcsec", Among("focal_plane_mask", ("NS2.0arcsec",))),
        ("GN2022AQ123-01", Among("focal_plane_mask", ("GN2022AQ123-01",))),
        ("G2026B0123Q-02", Among("focal_plane_mask", ("G2026B0123Q-02",))),
        ("2x4", Among("binning", ("2x4",))),
        ("high", Among("gain_setting", ("high",))),
        ("standard", Among("gain_setting", ("standard",))),
        ("fast", Among("readspeed_setting", ("fast",))),
        ("red:slow,blue:fast", Among("readspeed_setting", ("red:slow,blue:fast",))),
        ("Classic", Among("readmode_setting", ("Classic",))),
        ("NodAndShuffle", Among("readmode_setting", ("NodAndShuffle", "Nod and Shuffle"))),
        ("Faint_Object", Among("readmode_setting", ("Faint_Object", "Faint Object"))),
        ("Deep", Among("welldepth_setting", ("Deep",))),
        ("FullFrame", Among("roi_setting", ("Full Frame", "Fixed"))),
        ("central256", Among("roi_setting", ("Central256",))),
        ("twilight", Among("object", ("Twilight",))),
        ("preimage", Flag("preimage", True)),
        ("notpreimage", Flag("preimage", False)),
        ("photstandard", Nothing("the catalog knows of no photometric standards")),
        ("mdgood", Flag("mdready", True)),
        ("mdbad", Flag("mdready", False)),
        ("imaging", Flag("spectroscopy", False)),
        ("spectroscopy", Flag("spectroscopy", True)),
        ("AO", Flag("adaptive_optics", True)),
        ("NOTAO", Flag("adaptive_optics", False)),
        ("Pass", Among("qa_state", ("Pass",))),
        ("Usable", Among("qa_state", ("Usable",))),
        ("Fail", Among("qa_state", ("Fail",))),
        ("CHECK", Among("qa_state", ("CHECK",))),
        ("UndefinedQA", Among("qa_state", ("Undefined",))),
        ("AnyQA", Anything("qa_state")),
        ("Win", Among("qa_state", ("Pass", "Usable"))),
        ("NotFail", Differs("qa_state", "Fail")),
        ("Lucky", Among("qa_state", ("Pass", "Undefined"))),
        ("includeengineering", Anything("engineering")),
    ],
)
def test_words_select_what_they_mean(segment: str, expected: Term) -> None:
    assert terms(segment) == (expected,)


@pytest.mark.parametrize(
    ("word", "field"),
    [
        ("present", "present"),
        ("canonical", "canonical"),
        ("engineering", "engineering"),
        ("science_verification", "science_verification"),
        ("calprog", "calibration_program"),
        ("site_monitoring", "site_monitoring"),
    ],
)
def test_booleans_have_a_not_form(word: str, field: str) -> None:
    assert terms(word) == (Flag(field, True),)
    assert terms(f"not{word}") == (Flag(field, False),)


def test_modes_imply_spectra_and_guide_stars_imply_adaptive_optics() -> None:
    assert terms("MOS") == (Among("mode", ("MOS",)), Flag("spectroscopy", True))
    assert terms("LGS") == (Flag("laser_guide_star", True), Flag("adaptive_optics", True))
    assert terms("NGS") == (Flag("laser_guide_star", False), Flag("adaptive_optics", True))


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ("N20260101S0001", Among("name", ("N20260101S0001.fits",))),
        ("N20260101S0001.fits", Among("name", ("N20260101S0001.fits",))),
        ("S20260101S0001_arc.fits.bz2", Among("name", ("S20260101S0001_arc.fits",))),
        (
            "lsc1m005-kb78-20151109-0179-e90.fits.fz",
            Among("name", ("lsc1m005-kb78-20151109-0179-e90.fits.fz",)),
        ),
        ("02dec14_0012", Among("name", ("02dec14_0012.fits",))),
        ("SDCH_20260101_0001", Among("name", ("SDCH_20260101_0001.fits",))),
        ("N2", Starts("name", ("N2",))),
        ("S202601", Starts("name", ("S202601",))),
        ("N20260101S00", Starts("name", ("N20260101S00",))),
        ("filename=N20260101S0001", Among("name", ("N20260101S0001", "N20260101S0001.fits"))),
        ("filename=odd=name.fits.gz", Among("name", ("odd=name.fits",))),
        ("filepre=lsc1m", Starts("name", ("lsc1m",))),
        ("path=2026=slash=01", Among("path", ("2026/01",))),
        ("path=", Among("path", ("",))),
    ],
)
def test_files_are_named_whole_or_by_their_beginning(segment: str, expected: Term) -> None:
    assert terms(segment) == (expected,)


@pytest.mark.parametrize(
    ("segment", "field"),
    [
        ("GN-2022A-Q-101", "program"),
        ("GS-CAL20230518", "program"),
        ("ENG20100101", "program"),
        ("G-2026B-0123-Q", "program"),
        ("G-2026B-ENG-GMOSN-01", "program"),
        ("G-2026B-CAL-GMOS-S-01", "program"),
        ("GN-2022A-Q-101-7", "observation_id"),
        ("GS-CAL20230518-12", "observation_id"),
        ("G-2026B-0123-Q-0004", "observation_id"),
        ("G-2026B-ENG-GMOSN-01-0003", "observation_id"),
        ("GN-2022A-Q-101-7-001", "data_label"),
        ("GN-2022A-Q-101-7-001-ARC", "data_label"),
        ("GS-CAL20230518-12-004", "data_label"),
        ("G-2026B-0123-Q-0004-0001", "data_label"),
        ("G-2026B-ENG-GMOSN-01-0003-0002", "data_label"),
    ],
)
def test_ids_are_told_apart_by_their_form(segment: str, field: str) -> None:
    assert terms(segment) == (Among(field, (segment,)),)
    assert terms(f"progid={segment}") == (Among(field, (segment,)),)


def test_keys_take_ids_of_any_form() -> None:
    assert terms("progid=LCO2025B-011") == (Among("program", ("LCO2025B-011",)),)
    assert terms("obsid=17") == (Among("observation_id", ("17",)),)
    assert terms("datalabel=x-1") == (Among("data_label", ("x-1",)),)


def test_the_most_specific_id_wins_in_any_order() -> None:
    label, observation = "GN-2022A-Q-101-7-001", "GN-2022A-Q-1-3"
    assert terms(f"GN-2022A-Q-9/{label}/obsid=x") == (Among("data_label", (label,)),)
    assert terms(f"{observation}/progid=GN-2022A-Q-9") == (Among("observation_id", (observation,)),)


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ("az=100-200", Around("azimuth_deg", 100, 200)),
        ("az=350-10", Around("azimuth_deg", 350, 10)),
        ("Azimuth=-10-10", Around("azimuth_deg", 350, 10)),
        ("el=30-80.5", Between("elevation_deg", 30, 80.5)),
        ("crpa=-20-20", Between("rotator_deg", -20, 20)),
        ("crpa=20--20", Between("rotator_deg", -20, 20)),
        ("cenwlen=2", Between("central_wavelength_um", 1.9, 2.1, "()")),
        ("cenwlen=0.6-0.9", Between("central_wavelength_um", 0.6, 0.9, "()")),
        ("exposure_time=60", Between("exposure_s", 59.5, 60.5, "[]")),
        ("exposure_time=0.2", Between("exposure_s", 0.0, 0.7, "[]")),
        ("exposure_time=10-20", Between("exposure_s", 10, 20, "[]")),
        ("coadds=3", Among("coadds", (3,))),
        ("raw_iq=70", Among("raw_iq", (70,))),
        ("raw_cc=CC50", Among("raw_cc", (50,))),
        ("raw_bg=Any", Among("raw_bg", (100,))),
        ("raw_wv=80-percentile", Among("raw_wv", (80,))),
        ("object=M 1", Like("object", "M 1", folded=True)),
        ("object=100%_a", Like("object", r"100\%\_a", folded=True)),
        ("object=NGC*", Like("object", "NGC%", folded=True)),
        ("object=*b=slash=c*", Like("object", "%b/c%", folded=True)),
        ("Object=a*b", Like("object", "a*b", folded=True)),
        ("filter=r", Among("filter", ("r",))),
        ("disperser=R400", Component("disperser", "R400")),
        ("camera=f6", Among("camera", ("f6",))),
        ("camera=GnirsLong", Among("camera", ("LongRed", "LongBlue"))),
        ("mask=IFU-R", Among("focal_plane_mask", ("IFU-R",))),
        ("pupil_mask=pupil38", Among("pupil_mask", ("pupil38",))),
        ("gain=low", Among("gain_setting", ("low",))),
        ("readspeed=slow", Among("readspeed_setting", ("slow",))),
        ("readmode=Low_Background", Among("readmode_setting", ("Low_Background", "Low Background"))),
        ("welldepth=Deep", Among("welldepth_setting", ("Deep",))),
        ("processing_tag=v1", TaggedOrRaw("v1")),
        (
            "PIname=Ada Lovelace",
            InHeader(("PINAME", "PI-NAME", "PI_NAME", "PI", "PI-COI"), ("Ada", "Lovelace")),
        ),
        ("publication=2026A&A...1L", InHeader(("REFERENC", "BIBCODE"), ("2026A&A...1L",))),
    ],
)
def test_keys_select_what_they_mean(segment: str, expected: Term) -> None:
    assert terms(segment) == (expected,)


def test_columns_of_tables_are_kept_for_who_shows_them() -> None:
    assert selected("cols=DFW/present") == Selection(terms=(Flag("present", True),), columns="DFW")


@pytest.mark.parametrize(
    ("path", "cone"),
    [
        ("ra=10.5/dec=-20", Cone(10.5, -20, 0.05)),
        ("dec=+20:30:00/sr=36/ra=01:00:00", Cone(15, 20.5, 0.01)),
        ("RA=1h30m/Dec=5d30m/SR=0.5d", Cone(22.5, 5.5, 0.5)),
        ("ra=0/dec=90/sr=2 degs", Cone(0, 90, 2)),
    ],
)
def test_a_position_is_a_cone(path: str, cone: Cone) -> None:
    (term,) = terms(path)
    assert isinstance(term, InCone)
    found = term.cone
    assert (found.ra_deg, found.dec_deg, found.radius_deg) == pytest.approx(
        (cone.ra_deg, cone.dec_deg, cone.radius_deg)
    )


def test_a_radius_without_a_position_is_left_out_beside_a_name() -> None:
    found = selected("object=M 1/sr=0.300000d")
    assert found.terms == (Like("object", "M 1", folded=True),)
    assert found.unrecognised == ("sr=0.300000d",)
    assert selected("sr=1d/ra=10/dec=20/object=M 1").unrecognised == ()
    assert InCone(Cone(10, 20, 1)) in terms("sr=1d/ra=10/dec=20/object=M 1")
    with pytest.raises(MalformedSelector):
        selected("sr=1d/GMOS")


def test_ranges_of_coordinates_are_bands() -> None:
    assert terms("ra=350-10/dec=-20--30") == (Around("ra_deg", 350, 10), Between("dec_deg", -30, -20, "[]"))
    assert terms("ra=0-360") == (Between("ra_deg", 0, 360, "[]"),)
    assert terms("dec=10/sr=1d") == (Between("dec_deg", 9, 11, "[]"),)
    assert terms("ra=0.5/sr=1d") == (Around("ra_deg", 359.5, 1.5),)


def test_defaults_yield_to_what_is_said() -> None:
    assert terms("defaults") == (
        Flag("engineering", False),
        Flag("site_monitoring", False),
        Differs("qa_state", "Fail"),
    )
    assert terms("defaults/engineering/Fail") == (
        Flag("engineering", True),
        Among("qa_state", ("Fail",)),
        Flag("site_monitoring", False),
    )
    assert Flag("engineering", False) not in terms("includeengineering/defaults")


def test_selections_are_open_without_date_id_or_name() -> None:
    assert selected("").is_open
    assert selected("GMOS-N/Win/present/ra=1/dec=2").is_open
    for segment in ("20260101", "night=20260101", "N2026", "filepre=x", "progid=x", "obsid=x", "datalabel=x"):
        assert not selected(f"GMOS-N/{segment}").is_open


def test_a_flag_is_implied_unless_it_is_spoken_of() -> None:
    assert selected("").implying("canonical").terms == (Flag("canonical", True),)
    assert selected("notcanonical").implying("canonical").terms == (Flag("canonical", False),)


def test_every_word_and_key_says_something() -> None:
    for word in (*WORDS, *FOLDED):
        assert terms(word), word
    assert set(COORDINATES) >= {"ra", "dec", "sr"}
    assert set(KEYS) >= {
        "filename",
        "filepre",
        "path",
        "progid",
        "obsid",
        "datalabel",
        "date",
        "daterange",
        "night",
        "nightrange",
        "entrytimedaterange",
        "lastmoddaterange",
        "az",
        "el",
        "crpa",
        "cenwlen",
        "exposure_time",
        "coadds",
        "object",
        "PIname",
        "ProgramText",
        "publication",
        "filter",
        "disperser",
        "camera",
        "mask",
        "pupil_mask",
        "gain",
        "readspeed",
        "readmode",
        "welldepth",
        "raw_iq",
        "raw_cc",
        "raw_bg",
        "raw_wv",
        "processing_tag",
    }
