"""A directory is read into values that are complete, inherit as they should, and have honest revisions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from armillary.headers.models import Required
from armillary.headers.recipes import service
from armillary.headers.recipes.models import (
    SECOND,
    Catalogue,
    Constant,
    Instant,
    Pick,
    TopicEntry,
    Unit,
    Valid,
    Window,
)
from tests.support.recipes import small_recipe, write_small

BASE = """
schema: armillary.header/1
enums: {vignetting: {UNKNOWN: 0, NO: 1, FULLY: 3}}
constants: {TELESCOP: "Survey 1.2m", ORIGIN: here}
keywords:
  SEEING: {source: {from: met, topic: seeing, field: seeing, index: 0}, valid: [0, 9], comment: Seeing}
"""


def test_options_become_values(tmp_path: Path) -> None:
    recipe = small_recipe(
        tmp_path,
        """
  AMEND:
    source: {from: cam, topic: target, field: airmass}
    at: readout_start - 200ms
    max_age: 2s
    unit: {in: "1", out: "1"}
    valid: [1.0, 40]
    when: "TRACKSYS == 'RADEC'"
    required: science
    fallback: [{derive: "airmass(ELEND)"}, {constant: 1}]
    settle: 250ms
  VIGNETTE:
    source: {from: cam, topic: vignetting, field: state}
    at: {window: [integration_start, readout_start + 1s]}
    pick: max
""",
    )
    keyword = recipe.keywords["AMEND"]
    assert keyword.at == Instant("readout_start", -SECOND // 5)
    assert (keyword.max_age, keyword.settle) == (2 * SECOND, SECOND // 4)
    assert keyword.valid == Valid(low=1.0, high=40.0)
    assert keyword.unit == Unit("1", "1")
    assert keyword.required is Required.SCIENCE
    assert [(one.derive, one.constant) for one in keyword.fallback] == [("airmass(ELEND)", None), (None, 1)]
    window = recipe.keywords["VIGNETTE"]
    assert window.at == Window(Instant("integration_start"), Instant("readout_start", SECOND))
    assert window.pick is Pick.MAX


@pytest.mark.parametrize("closing", ["readout_start", "shutter_close"])
def test_a_window_closes_with_the_shutter_if_that_is_told(tmp_path: Path, closing: str) -> None:
    told = "  shutter_close: {source: cam, topic: shutter_closed, id: image_id}\n"
    text = "  V: {source: {from: cam, topic: t, field: f}, at: {window: [integration_start]}, pick: max}\n"
    recipe = small_recipe(tmp_path, text, moments=told if closing == "shutter_close" else "")
    assert recipe.keywords["V"].at == Window(Instant("integration_start"), Instant(closing))


def test_what_follows_from_other_parts_is_filled_in(tmp_path: Path) -> None:
    fallback = (
        "fallback: [{source: {from: met, topic: t, field: f}}, {source: {from: cam, topic: t, field: f}}]"
    )
    recipe = small_recipe(
        tmp_path,
        "  A: {source: {from: met, topic: t, field: f}}\n"
        f"  B: {{source: {{from: cam, topic: end_of_telemetry, field: f}}, max_age: 1s, {fallback}}}\n",
    )
    assert recipe.keywords["A"].max_age == 300 * SECOND
    keyword = recipe.keywords["B"]
    assert keyword.source is not None
    assert keyword.source.match == "image_id"
    assert [one.max_age for one in keyword.fallback] == [300 * SECOND, SECOND]


def test_derived_cards_and_constants_have_short_forms(tmp_path: Path) -> None:
    head = """
constants: {TELESCOP: Survey, HEIGHT: {value: 2663, unit: m, comment: Height}}
derive:
  A: "mjd(DATE)"
  B: {expression: "mjd(DATE)", at: end}
  C: {derive: "mjd(DATE)", unit: d}
"""
    recipe = small_recipe(tmp_path, head=head)
    assert recipe.constants["TELESCOP"] == Constant("Survey")
    assert recipe.constants["HEIGHT"].value == 2663
    assert {one.expression for one in recipe.derive.values()} == {"mjd(DATE)"}
    assert (recipe.derive["B"].at, recipe.derive["C"].unit) == (Instant("end"), "d")


def test_inherited_mappings_merge_and_null_deletes(tmp_path: Path) -> None:
    write_small(tmp_path)
    (tmp_path / "instruments" / "common").mkdir()
    (tmp_path / "instruments" / "common" / "base.yaml").write_text(BASE)
    (tmp_path / "instruments" / "common" / "second.yaml").write_text("constants: {ORIGIN: there}\n")
    head = """
inherit: [common/base.yaml, common/second.yaml]
enums: {vignetting: {FULLY: null, PARTIALLY: 2}}
constants: {TELESCOP: null}
"""
    recipe = small_recipe(tmp_path, "  SEEING: {valid: [1, 2], source: {index: null}}\n", head=head)
    assert recipe.enums == {"vignetting": {"UNKNOWN": 0, "NO": 1, "PARTIALLY": 2}}
    assert recipe.constants == {"ORIGIN": Constant("there")}
    keyword = recipe.keywords["SEEING"]
    assert keyword.source is not None
    assert (keyword.source.field, keyword.source.index, keyword.comment) == ("seeing", None, "Seeing")
    assert keyword.valid == Valid(low=1.0, high=2.0)


@pytest.mark.parametrize(
    "parent", ["none.yaml", "../../etc/passwd", "/etc/hostname", "bar1.yaml", "loop.yaml"]
)
def test_what_cannot_be_inherited_is_told(tmp_path: Path, parent: str) -> None:
    write_small(tmp_path, head=f"inherit: [{parent}]\n")
    (tmp_path / "instruments" / "loop.yaml").write_text("inherit: [bar1.yaml]\n")
    told = [one for one in service.load(tmp_path).findings if one.file == "instruments/bar1.yaml"]
    assert ("C09", 3) in {(one.code, one.line) for one in told} or parent == "loop.yaml"
    loop = [one for one in service.load(tmp_path).findings if "inherits itself" in one.message]
    assert bool(loop) == (parent in ("bar1.yaml", "loop.yaml"))


def test_unknown_options_are_rejected_everywhere(tmp_path: Path) -> None:
    write_small(
        tmp_path,
        "  A: {source: {from: cam, topic: t, field: f, colour: red}, hue: red, at: {window: [end], x: 1}}\n",
        head="tone: red\ntiming: {d3: 1s}\nconstants: {B: {value: 1, tint: red}}\n",
    )
    found = [
        one.message for one in service.load(tmp_path).findings if one.message.startswith("Unknown option")
    ]
    assert sorted(one.split()[2].strip(".;") for one in found) == ["colour", "d3", "hue", "tint", "tone", "x"]


def test_a_revision_is_that_of_the_content_alone(tmp_path: Path) -> None:
    first = small_recipe(tmp_path, head="constants: {A: 1, B: 2}\n")
    again = small_recipe(tmp_path, head="# Said otherwise.\nconstants:\n  B: 2\n  A: {value: 1}\n")
    other = small_recipe(tmp_path, head="constants: {A: 1, B: 3}\n")
    assert first.rev == again.rev
    assert other.rev != first.rev
    assert len(first.rev) == 64


@pytest.mark.parametrize("instrument", ["spec1", "cam9", "cam205"])
def test_resolved_documents_come_back_from_their_bytes(instrument: str) -> None:
    loaded = service.load(service.reference_directory())
    recipe, template = loaded.recipes[instrument], loaded.templates[instrument, "raw"]
    assert service.read_recipe(service.dump(recipe)) == recipe
    assert service.read_template(service.dump(template)) == template
    again = service.read_recipe(service.dump(recipe))
    assert service.dump(again) == service.dump(recipe)


def test_a_change_of_the_directory_is_seen(tmp_path: Path) -> None:
    write_small(tmp_path)
    path = tmp_path / "instruments" / "bar1.yaml"
    marks = [service.changed(tmp_path)]
    assert service.changed(tmp_path) == marks[0]
    os.utime(path, ns=(1, 1))
    marks.append(service.changed(tmp_path))
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "camera.yaml").write_text("component: camera")
    marks.append(service.changed(tmp_path))
    path.unlink()
    marks.append(service.changed(tmp_path))
    assert len(set(marks)) == len(marks)


def test_an_entry_of_the_catalogue_holds_for_every_index() -> None:
    topics = {"conditions": TopicEntry("telemetry")}
    catalogue = Catalogue({"weather": topics, "weather:7": {}})
    assert catalogue.topic("weather:301", "conditions") == topics["conditions"]
    assert catalogue.topic("weather:7", "conditions") is None
    assert catalogue.topic("wind", "conditions") is None


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    write_small(tmp_path)
    (tmp_path / "instruments" / "gone.yaml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "instruments" / "list.yaml").write_text("[1, 2]\n")
    (tmp_path / "templates" / "bar1" / "huge.yaml").write_bytes(b"#" * 5_000_000)
    loaded = service.load(tmp_path)
    assert set(loaded.recipes) == {"bar1"}
    assert [(one.file, one.line, one.code) for one in loaded.findings] == [
        ("instruments/gone.yaml", 1, "C01"),
        ("instruments/list.yaml", 1, "C01"),
        ("templates/bar1/huge.yaml", 1, "C01"),
    ]


def test_a_directory_without_anything_has_no_instruments(tmp_path: Path) -> None:
    assert service.load(tmp_path / "none").recipes == {}
