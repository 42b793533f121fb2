"""The three reference instruments have what their description says."""

from __future__ import annotations

import pytest

from armillary.headers.models import Level, Required
from armillary.headers.recipes import service
from armillary.headers.recipes.lint.crossing import INGEST
from armillary.headers.recipes.loading import Loaded
from armillary.headers.recipes.models import GEOMETRY_CARDS, Instant, Pick, Recipe, Unit

SPEC1_PRIMARY = """
OBSID CAMCODE CONTRLLR DAYOBS SEQNUM EXPTIME CURINDEX MAXINDEX GROUPID IMGTYPE TESTTYPE REASON PROGRAM
DATE-OBS DATE-BEG DATE-END DARKTIME SHUTTIME IMAGETAG EMUIMAGE OBSANNOT OBJECT RA DEC
ROTPA RASTART DECSTART ELSTART AZSTART RAEND DECEND ELEND AZEND HASTART AMSTART HAEND AMEND
TRACKSYS RADESYS ATM3PORT FOCUSZ FILTER FILTBAND FILTSLOT GRATING GRATBAND GRATSLOT LINSPOS INSTPORT
DOMEAZ SHUTLOWR SHUTUPPR VIGNETTE VIGN_MIN AIRTEMP PRESSURE HUMIDITY WINDSPD WINDDIR SEEING
DATE MJD-OBS MJD-BEG MJD-END FILENAME TSTAND HEADVER OBSGEO-X OBSGEO-Y OBSGEO-Z
ORIGIN FACILITY TELESCOP INSTRUME OBSERVER TIMESYS BUNIT ROTCOORD OBS-LONG OBS-LAT OBS-ELEV
"""
SPEC1_DETECTOR = """
PREH OVERH OVERV CCD_MANU CCD_TYPE CCD_SERN LSST_NUM CCDSLOT RAFTBAY SEQNAME SEQCKSUM REBNAME CONTNUM DETSIZE
"""
AT_READOUT = {"RAEND", "DECEND", "ELEND", "AZEND", "HAEND", "AMEND", "FOCUSZ", "ROTEND"}
AT_END = {"DATE-OBS", "DATE-BEG", "DATE-END", "DARKTIME", "SHUTTIME", "IMAGETAG", "EMUIMAGE", "OBSANNOT"}
AT_END |= {"PREH", "OVERH", "OVERV"}


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    """Return the reference directory."""
    return service.load(service.reference_directory())


def keys(loaded: Loaded, instrument: str, level: Level) -> list[str]:
    """Return the cards of one kind of HDU."""
    return [slot.key for slot in loaded.templates[instrument, "raw"].hdus[level].slots]


def test_the_spectrograph_has_the_cards_of_its_description(loaded: Loaded) -> None:
    primary = keys(loaded, "spec1", Level.PRIMARY)
    simulated = [key for key in primary if key.startswith("SIMULATE ")]
    assert set(SPEC1_PRIMARY.split()) <= set(primary)
    assert len(simulated) == 5
    assert set(primary) - set(SPEC1_PRIMARY.split()) - set(simulated) == {"NITE"}
    assert set(keys(loaded, "spec1", Level.DETECTOR)) == set(SPEC1_DETECTOR.split())
    assert set(keys(loaded, "spec1", Level.SEGMENT)) >= GEOMETRY_CARDS


@pytest.mark.parametrize("instrument", ["spec1", "cam9", "cam205"])
def test_values_are_taken_when_the_description_says(loaded: Loaded, instrument: str) -> None:
    keywords = loaded.recipes[instrument].keywords
    moments = {key: one.at.moment for key, one in keywords.items() if isinstance(one.at, Instant)}
    # What is known of many detectors is ready before the end.
    early = {"PREH", "OVERH", "OVERV"} if instrument == "cam205" else set()
    assert {key for key, at in moments.items() if at == "readout_start"} <= AT_READOUT | early
    assert {key for key, at in moments.items() if at == "end"} == AT_END - early
    assert set(moments.values()) == {"integration_start", "readout_start", "end"}
    assert [(keywords[key].pick) for key in ("VIGNETTE", "VIGN_MIN")] == [Pick.MAX, Pick.MIN]


@pytest.mark.parametrize("instrument", ["spec1", "cam9", "cam205"])
def test_what_ingest_needs_is_required(loaded: Loaded, instrument: str) -> None:
    recipe = loaded.recipes[instrument]
    for names in INGEST:
        required = [_required(recipe, name) for name in names.split("|")]
        assert Required.INGEST in required or names in ("DATE", "TIMESYS"), names


def _required(recipe: Recipe, key: str) -> Required | None:
    entry = recipe.keywords.get(key) or recipe.derive.get(key) or recipe.constants.get(key)
    return entry.required if entry else None


def test_every_card_has_a_comment(loaded: Loaded) -> None:
    for recipe in loaded.recipes.values():
        for part in (recipe.keywords, recipe.derive, recipe.constants):
            assert [key for key, one in part.items() if not one.comment] == []


def test_the_large_camera_has_205_detectors_and_4800_cards(loaded: Loaded) -> None:
    recipe, template = loaded.recipes["cam205"], loaded.templates["cam205", "raw"]
    detectors = recipe.detectors.fallback
    assert len(detectors) == len(set(detectors)) == 205
    cards = len(keys(loaded, "cam205", Level.PRIMARY)) + 205 * len(keys(loaded, "cam205", Level.DETECTOR))
    assert 4_700 < cards < 4_900
    segment = template.hdus[Level.SEGMENT]
    assert not segment.enabled
    assert len(segment.order) == 16


def test_the_large_camera_has_ways_of_its_own(loaded: Loaded) -> None:
    keywords = loaded.recipes["cam205"].keywords
    sources = {key: one.source for key, one in keywords.items() if one.source}
    assert {sources[key].topic for key in ("AZSTART", "ELSTART", "AZEND", "ELEND")} == {"encoders"}
    assert all(sources[key].block is None for key in ("AZSTART", "ELEND"))
    assert (sources["TRACKSYS"].enum, sources["RADESYS"].enum) == ("tracking", "frames")
    assert keywords["FOCUSZ"].unit == Unit("um", "mm")
    assert {"ROTSTART", "ROTEND"} <= keywords.keys()
    calibration = [key for key in keywords if key.startswith("CALIB ")]
    assert {key.split()[1] for key in calibration} == {"LASER", "LED"}


def test_instruments_share_no_source(loaded: Loaded) -> None:
    components = [
        {entry.component for entry in recipe.sources.values()} for recipe in loaded.recipes.values()
    ]
    assert sum(map(len, components)) == len(set.union(*components))
