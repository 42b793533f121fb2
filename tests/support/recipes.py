"""A small instrument of one detector, for tests of configurations."""

from __future__ import annotations

from pathlib import Path

from armillary.headers.recipes import service
from armillary.headers.recipes.models import Recipe

HEAD = """schema: armillary.header/1
instrument: bar1
"""
SOURCES = """
sources: {cam: {component: camera, clock: tai}, met: {component: weather, max_age: 5min}}
moments:
  integration_start: {source: cam, topic: start_integration, id: image_id}
  readout_start: {source: cam, topic: start_readout, id: image_id}
  end: {source: cam, topic: end_of_telemetry, id: image_id}
"""
OBSID = "  OBSID: {source: {from: cam, topic: start_integration, field: image_id}}\n"
RAW = "template: bar1/raw\nhdus:\n  primary: [OBSID]\n"


def write_small(
    directory: Path, keywords: str = "", *, head: str = "", moments: str = "", raw: str = RAW
) -> None:
    """Write the configuration; `keywords` and `moments` are further lines of those maps."""
    files = {
        "instruments/bar1.yaml": f"{HEAD}{head}{SOURCES}{moments}keywords:\n{OBSID}{keywords}",
        "templates/bar1/raw.yaml": raw,
    }
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)


def small_recipe(directory: Path, keywords: str = "", *, head: str = "", moments: str = "") -> Recipe:
    """Return the recipe of the configuration, which must have no mistakes of form."""
    write_small(directory, keywords, head=head, moments=moments)
    loaded = service.load(directory)
    assert [one.message for one in loaded.findings] == []
    return loaded.recipes["bar1"]
