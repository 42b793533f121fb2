"""The map of the house and the pages behind it speak of what is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
SOURCE = TOP / "src" / "armillary"
MAP = (TOP / "ARCHITECTURE.md").read_text()
PAGES = {
    name: (TOP / name).read_text() for name in ("ARCHITECTURE.md", "docs/engines.md", "docs/decisions.md")
}
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())
MOST_LINES = 130
PATHS = [path.relative_to(TOP).as_posix() for part in ("src", "tests") for path in (TOP / part).rglob("*.py")]


def section(title: str) -> str:
    """Return what stands below a heading of the map."""
    return MAP.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_map_is_one_page() -> None:
    assert len(MAP.splitlines()) <= MOST_LINES


def test_the_map_shows_the_layers_that_are_checked() -> None:
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    for number, before in ((0, ""), (2, "archive:        ")):
        layers = [re.sub(r"armillary\.", "", layer) for layer in contracts[number]["layers"]]
        assert f"\n{before}{' > '.join(layers)}\n" in section("The layers"), contracts[number]["name"]


def test_the_map_shows_every_place_and_no_other() -> None:
    shown = set(re.findall(r"\b([a-z0-9_]+)/(?=\s)", section("The tree").partition("src/armillary/\n")[2]))
    places = {
        path.parent for pattern in ("*/__init__.py", "*/*/__init__.py") for path in SOURCE.glob(pattern)
    }
    # Scripts of Alembic are no package.
    assert shown == {place.name for place in places} | {"versions"}


def test_the_map_names_every_dependency_and_no_other() -> None:
    project = PROJECT["project"]
    listed = [*project["dependencies"], *project["optional-dependencies"]["media"]]
    wanted = {re.split(r"[\[>]", one)[0] for one in listed}
    rows = [line.split("|")[1] for line in section("Dependencies").splitlines() if line.startswith("|")][2:]
    named = {name.strip() for row in rows for name in re.sub(r"\(.*?\)", "", row).split(",")}
    # It comes with pyjwt, for signatures.
    assert named == wanted | {"cryptography"}


@pytest.mark.parametrize("page", PAGES)
def test_every_module_that_is_named_is_there(page: str) -> None:
    named = set(re.findall(r"`([\w/.]+\.py)`", PAGES[page]))
    assert named
    assert [name for name in named if not any(f"/{path}".endswith(f"/{name}") for path in PATHS)] == []
    linked = set(re.findall(r"\]\(([\w/.-]+)\)", PAGES[page]))
    assert [link for link in linked if not (TOP / page).parent.joinpath(link).exists()] == []
