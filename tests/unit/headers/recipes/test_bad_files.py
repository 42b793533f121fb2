"""Whatever stands in a file, lint says what is wrong with it and does not fall over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from armillary.headers.recipes import service
from armillary.headers.recipes.marked import read_marked

INSTRUMENT = """
schema: armillary.header/1
instrument: bar1
inherit: [common/base.yaml]
timesys: TAI
site: {lat: -30.2, lon: -70.7, height: 2663}
image_id: {pattern: "{camera}_{seq:6}"}
sources: {cam: {component: "camera:1", clock: utc, time: stamp, max_age: 5s}}
moments:
  integration_start: {source: cam, topic: start, id: image_id, exposure: exposure_time, timeout: timeout}
  end: {source: cam, topic: end, id: image_id, else: integration_start}
timing: {d1: 0.5s}
detectors: {source: cam, topic: plane, ids: location, fallback: [A]}
enums: {tracking: {RADEC: 1, NO: 2}}
constants: {TELESCOP: Survey, HEIGHT: {value: 3, unit: m}}
keywords:
  A:
    source: {from: cam, topic: start, keyed: {keys: keys, values: values, name: group}}
    valid: "[a-z]+"
    fallback: [{source: {from: cam, topic: start, field: name}, at: end, unit: {in: deg, out: rad}}, {constant: 1}]
  B:
    source: {from: cam, topic: plane, field: serial, per_detector: {ids: location, split: ":"}}
    hdu: detector
    at: end + 1s
  C:
    source: {from: cam, topic: state, field: angles, index: 0, block: {times: stamp}, enum: tracking}
    at: {window: [integration_start, end - 1s]}
    pick: mean
    angle: 360
    unit: {in: deg, out: deg}
    max_age: 1s
    valid: [0, 360]
    when: "A in ['x', 'y'] and not TELESCOP == 'z'"
    fallback: [{derive: "airmass(B, 'pickering')"}]
    required: ingest
    settle: 100ms
derive: {D: "mjd(A)", E: {expression: "nite()", at: end, valid: [1, 2], unit: d}}
geometry: {vendor: ITL, cols: {from: cam, topic: plane, field: cols}, rows: {source: {from: cam, topic: plane}}}
merge: {forwarder: [A, B]}
waive: [{code: X05, name: RA, reason: none}]
"""
BASE = "schema: armillary.header/1\nkeywords: {A: {comment: One}, B: {comment: Two}}\n"
CATALOGUE = """
catalog: armillary.catalog/1
component: camera
topics:
  start: {kind: event, fields: {image_id: {type: str}, keys: {type: str}, values: {type: str}, name: {type: str}}}
  plane: {kind: event, fields: {location: {type: str}, serial: {type: list}, cols: {type: list, unit: m}}}
  state: {kind: telemetry, fields: {stamp: {type: list}, angles: {type: list, unit: deg}}}
"""
PARENT = """
template: common/raw
hdus: {primary: [{section: One}, A, {key: HEIGHT, constant: 1}], segment: {order: ["00..03"], cards: [DATASEC]}}
"""
TEMPLATE = """
template: bar1/raw
extends: common/raw
volatile: [DATE]
hdus:
  primary: [{section: One, add: true}, C, D, {section: Two, before: One}, {key: E F, hierarch: true}]
  detector: {name: "{detector}_PRIMARY", inherit: true, enabled: true, cards: [B]}
"""
FILES = {
    "instruments/bar1.yaml": INSTRUMENT,
    "instruments/common/base.yaml": BASE,
    "catalog/camera.yaml": CATALOGUE,
    "templates/common/raw.yaml": PARENT,
    "templates/bar1/raw.yaml": TEMPLATE,
}
JUNK: list[Any] = [
    *(None, True, -1, 1.5, "", "x", "NO", "integration_start - 1s", [], [[]], [None], {}, ["a", 1]),
    *({"x": {}}, {"from": "cam"}, {"window": []}, {"window": [1, 2, 3]}, {"derive": "airmass(EL"}, "a" * 500),
]


def plain(text: str) -> Any:
    """Return the values of a file."""
    document, _ = read_marked(text.encode(), "one.yaml")
    assert document is not None
    return document.plain()


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values of a document."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(one for key, item in below for one in paths(item, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], junk: Any) -> Any:
    """Return a document with something else at a path."""
    if not path:
        return junk
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], junk)
    return copy


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a directory in which every option is used."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_files_have_no_mistakes_of_form(directory: Path) -> None:
    assert [one.message for one in service.load(directory).findings] == []


@pytest.mark.parametrize("name", FILES)
def test_anything_may_stand_anywhere(directory: Path, name: str) -> None:
    document = plain(FILES[name])
    whole = [(path, junk) for path in paths(document) for junk in JUNK]
    # Every seventh is a few hundred of each file, and over time and lists all kinds meet.
    for path, junk in whole[::7]:
        # What is JSON is YAML.
        (directory / name).write_text(json.dumps(replaced(document, path, junk)))
        loaded = service.load(directory)
        for one in service.lint(loaded):
            assert one.line >= 1, (path, junk)
            assert one.message.endswith((".", "?")), one.message
        for recipe in loaded.recipes.values():
            assert service.read_recipe(service.dump(recipe)) == recipe, (path, junk)
        for template in loaded.templates.values():
            assert service.read_template(service.dump(template)) == template, (path, junk)
