"""Every code of lint is found where it was seeded, and nothing is said of the files that are shipped."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from armillary.headers.recipes import service
from armillary.headers.recipes.lint.judging import CODES
from armillary.headers.recipes.models import Finding

SPEC1, BASE = "instruments/spec1.yaml", "instruments/common/base.yaml"
RAW, OWN_RAW = "templates/common/raw.yaml", "templates/spec1/raw.yaml"
WINDOW = "{window: [integration_start, shutter_close]}\n    pick: max"
STAGE = "source: {from: spec, topic: stage, field: position}\n    at: integration_start\n"
STAGE_UNIT = "unit: {in: mm, out: mm}\n    scope: dynamic\n    comment: Position of the linear stage"
BAND = "field: band}\n    at: integration_start\n    scope: visit\n    comment: Band of the filter"
FOCUS = "field: z}\n    at: readout_start"
AIRMASS = 'comment: Airmass at start\n    fallback: [{derive: "airmass(ELSTART)"}]'


class Seed(NamedTuple):
    """A text of a reference file and what stands in its place.

    The finding is in the line where the text `at` begins, in the file `there`: by default what was put in.
    """

    code: str
    file: str
    old: str
    new: str
    at: str = ""
    there: str = ""


SEEDS = [
    Seed("C01", SPEC1, "comment: Port of the instrument", "coment: Port"),
    Seed("C01", SPEC1, "schema: armillary.header/1", "schema: armillary.header/2"),
    Seed("C01", SPEC1, "max_age: 5min", "max_age: 5 fortnights"),
    Seed("C01", SPEC1, "comment: Port of the instrument", "comment: [1, 2]"),
    Seed("C01", SPEC1, "[R00_S00]}", "[R00_S00]", at="\nconstants:"),
    Seed("C01", SPEC1, "detectors: {", "detectors: !!python/object:os.system {"),
    Seed("C01", BASE, "d1: 0.5s", "d1: -0.5s"),
    Seed("C01", BASE, "timesys: TAI", "timesys: MST"),
    Seed("C01", SPEC1, "lat: -30.2447889", "lat: -130.2447889"),
    Seed("C01", BASE, 'expression: "mjd(DATE-OBS)"', 'expression: "mjd(DATE-OBS"'),
    Seed("C01", "catalog/dome.yaml", "kind: telemetry", "kind: telemetrie"),
    Seed("C01", OWN_RAW, "{section: Spectrograph, after: Optics}", "{section: Spectrograph, behind: Optics}"),
    Seed("C02", SPEC1, "topic: stage, field: position", "topic: stage, field: positron"),
    Seed("C02", SPEC1, "topic: stage, field: position", "topic: stages, field: position"),
    Seed("C02", SPEC1, '"weather:301"', "wheather"),
    Seed("C02", BASE, "exposure: exposure_time", "exposure: exposure_tim"),
    Seed("C02", BASE, "ids: location}\n\nenums", "ids: locations}\n\nenums"),
    Seed("C03", SPEC1, STAGE_UNIT, STAGE_UNIT.replace("out: mm", "out: furlong")),
    Seed("C03", SPEC1, STAGE_UNIT, STAGE_UNIT.replace("out: mm", "out: s")),
    Seed("C03", SPEC1, STAGE_UNIT, STAGE_UNIT.replace("in: mm", "in: um")),
    Seed("C03", SPEC1, "unit: m, comment: Height", "unit: ell, comment: Height"),
    Seed("C04", SPEC1, "valid: [1, 3]\n    scope: static", "valid: [3, 1]\n    scope: static"),
    Seed("C04", BASE, "valid: [ITL, E2V]", "valid: []"),
    Seed("C04", BASE, 'valid: "[A-Z]{2}"', 'valid: "[A-Z"'),
    Seed("C05", BASE, FOCUS, FOCUS.replace("start", "begin"), at="at: readout_begin"),
    Seed("C05", BASE, FOCUS, FOCUS + " - 3 blinks", at="at: readout_start - 3 blinks"),
    Seed("C05", BASE, WINDOW, "{window: [shutter_close, integration_start]}\n    pick: max"),
    Seed("C05", BASE, WINDOW, "{window: [integration_start, end]}\n    pick: max"),
    Seed("C05", BASE, WINDOW, "integration_start\n    pick: max", at="pick: max"),
    Seed("C05", BASE, "else: readout_start}", "else: shutter_close}"),
    Seed(
        "C06",
        SPEC1,
        BAND,
        BAND.replace("integration_start\n", "{window: [integration_start]}\n    pick: mean\n"),
        at="pick: mean",
    ),
    Seed("C07", BASE, "FULLY: 3}", "FULLY: 2}"),
    Seed("C07", BASE, "FULLY: 3}", "FULLY: 3, FULLY: 4}"),
    Seed("C07", BASE, "enum: vignetting}\n    at: " + WINDOW, "enum: vignetted}\n    at: " + WINDOW),
    Seed("C08", BASE, AIRMASS, AIRMASS.replace("ELSTART", "AMSTART"), at="  AMSTART:"),
    Seed("C09", BASE, "mjd(DATE-OBS)", "mjd(DATE-BOS)"),
    Seed("C09", SPEC1, "site: {", "# {", at="OBSGEO-X: {", there=BASE),
    Seed("C09", BASE, "mjd(DATE-OBS)", "mdj(DATE-OBS)"),
    Seed("C09", BASE, "mjd(DATE-OBS)", "mjd()"),
    Seed("C09", SPEC1, "{from: spec, topic: stage", "{from: spek, topic: stage"),
    Seed("C09", SPEC1, "inherit: [common/base.yaml]", "inherit: [common/base.yaml, none.yaml]"),
    Seed("C09", OWN_RAW, "after: Optics", "after: Optiks"),
    Seed(
        "C10",
        SPEC1,
        "clock: utc, max_age: 5min",
        "clock: utc",
        at="source: {from: met, topic: conditions, field: air",
        there=BASE,
    ),
    Seed("C11", SPEC1, STAGE_UNIT, STAGE_UNIT + "\n    scale: 2", at="scale: 2"),
    Seed(
        "C12",
        SPEC1,
        STAGE + "    " + STAGE_UNIT,
        "source: {from: cam, topic: focal_plane, field: slot, per_detector: {ids: location}}",
        at="  LINSPOS:",
    ),
    Seed("C13", SPEC1, "  FILTER:\n    source: {from: spec, topic: filter, field: name}\n", "  FILTER:\n"),
    Seed(
        "C14", SPEC1, "  GRATSLOT:\n", "  FILTBAND:\n", at="  FILTBAND:\n    source: {from: spec, topic: disp"
    ),
    Seed("T01", RAW, "    - OBSID\n", "    - OBSID\n    - OBSID\n", at="    - OBSID\n    - CAMCODE"),
    Seed("T02", OWN_RAW, "{key: SIMULATE SPECTROGRAPH, hierarch: true}", "SIMULATE SPECTROGRAPH"),
    Seed(
        "T03",
        SPEC1,
        "comment: Port of the instrument",
        "comment: Port of the instrument at this telescope, at last",
        at="    - INSTPORT",
        there=OWN_RAW,
    ),
    Seed("T04", OWN_RAW, "- INSTPORT\n", "- {key: BSCALE, constant: 1}\n    - INSTPORT\n"),
    Seed("T05", OWN_RAW, "- {section: Simulation, add", "- {section: Void}\n    - {section: Simulation, add"),
    Seed("T06", OWN_RAW, "extends: common/raw", "extends: common/row"),
    Seed(
        "T06",
        RAW,
        "template: common/raw\n",
        "template: common/raw\nextends: spec1/raw\n",
        at="extends: spec1",
    ),
    Seed(
        "T07", SPEC1, "INSTRUME: {value: spec1, comment: Instrument, required: ingest}", "INSTRUME: [spec1]"
    ),
    Seed("T07", RAW, 'constant: "1 1"', "constant: [1, 1]"),
    Seed("T08", RAW, 'name: "{detector}_PRIMARY"', 'name: "DETECTOR"'),
    Seed(
        "T08", RAW, 'order: ["10..17", "07..00"]', 'order: ["10..17", "17..10"]', at='name: "{detector}_Seg'
    ),
    Seed(
        "T09",
        SPEC1,
        "comment: Position of the linear stage",
        "comment: Position of the stage (um)",
        at="    - LINSPOS",
        there=OWN_RAW,
    ),
    Seed("X01", OWN_RAW, "    - LINSPOS\n", "", at="  LINSPOS:", there=SPEC1),
    Seed("X02", OWN_RAW, "- LINSPOS\n", "- LINSPEED\n    - LINSPOS\n"),
    Seed("X03", SPEC1, "  OBS-ELEV: {", "  LINSPOS: 4\n  OBS-ELEV: {"),
    Seed("X04", SPEC1, "  LINSPOS:\n", "  LINSPOS:\n    hdu: detector\n"),
    Seed("X05", BASE, "  ROTCOORD: {", "  ROTCOORT: {", at="template: spec1/raw", there=OWN_RAW),
    Seed("X07", SPEC1, "detectors: {", "merge: {forwarder: [FILTRE]}\ndetectors: {"),
]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a directory with the reference spectrograph."""
    service.copy_reference(tmp_path, "spec1")
    return tmp_path


def line_of(text: str, part: str) -> int:
    """Return the line in which a part of a text begins, after its indentation."""
    start = text.index(part) + len(part) - len(part.lstrip())
    return text.count("\n", 0, start) + 1


def seed(directory: Path, file: str, old: str, new: str) -> None:
    """Replace a text of a file, which must be there."""
    path = directory / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def linted(directory: Path) -> list[Finding]:
    """Return what lint finds in a directory."""
    return service.lint(service.load(directory))


def test_shipped_files_are_clean() -> None:
    loaded = service.load(service.reference_directory())
    assert service.lint(loaded) == []
    assert set(loaded.recipes) == {"spec1", "cam9", "cam205"}


@pytest.mark.parametrize("one", SEEDS, ids=lambda one: f"{one.code}-{(one.new or one.old).strip()[:40]}")
def test_a_seeded_error_is_found_in_its_line(directory: Path, one: Seed) -> None:
    seed(directory, one.file, one.old, one.new)
    file = one.there or one.file
    line = line_of((directory / file).read_text(), one.at or one.new)
    found = linted(directory)
    assert (one.code, file, line) in {(each.code, each.file, each.line) for each in found}
    assert all(each.message for each in found)


def test_a_unit_that_differs_between_instruments_is_remarked(tmp_path: Path) -> None:
    service.copy_reference(tmp_path)
    seed(tmp_path, "instruments/cam205.yaml", "unit: {in: um, out: mm}", "unit: {in: um, out: um}")
    found = linted(tmp_path)
    assert [(one.code, one.name) for one in found] == [("X06", "FOCUSZ")]
    assert service.blocking(found) == []


def test_every_code_has_a_seed() -> None:
    assert {one.code for one in SEEDS} | {"X06"} == CODES


def test_a_waiver_needs_the_name_and_a_reason(directory: Path) -> None:
    seed(directory, OWN_RAW, "    - LINSPOS\n", "")
    [finding] = linted(directory)
    assert (finding.code, finding.name) == ("X01", "LINSPOS")
    seed(directory, SPEC1, "detectors: {", 'waive: [{code: X01, name: LINSPOS, reason: ""}]\ndetectors: {')
    assert [one.code for one in linted(directory)] == ["C01", "X01"]
    seed(directory, SPEC1, 'reason: ""', "reason: it is for the engineers")
    assert linted(directory) == []
    seed(directory, SPEC1, "name: LINSPOS", "name: FILTER")
    assert [one.code for one in linted(directory)] == ["X01"]


def test_what_is_wrong_with_an_instrument_does_not_concern_another(tmp_path: Path) -> None:
    service.copy_reference(tmp_path)
    seed(tmp_path, "instruments/cam9.yaml", "topic: filter, field: name", "topic: filter, field: nome")
    (tmp_path / "instruments" / "cam205.yaml").write_text("{")
    loaded = service.load(tmp_path)
    assert service.lint(loaded, instrument="spec1") == []
    assert [one.code for one in service.lint(loaded, instrument="cam9")] == ["C02"]
    assert [one.code for one in service.lint(loaded, instrument="cam205")] == ["C01"]


def test_what_several_instruments_inherit_is_told_once(tmp_path: Path) -> None:
    service.copy_reference(tmp_path)
    seed(tmp_path, BASE, "comment: Seeing at the zenith", "coment: Seeing at the zenith")
    assert [(one.file, one.code) for one in linted(tmp_path)] == [(BASE, "C01")]


def test_an_instrument_without_template_is_told(directory: Path) -> None:
    (directory / OWN_RAW).unlink()
    assert [(one.code, one.name) for one in linted(directory)] == [("X01", "spec1")]
