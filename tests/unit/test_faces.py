"""Others know of a noun what it offers (services, models, documents, errors, fields), and nothing behind it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.sources import PACKAGE as TOP
from tests.support.sources import Parts, sources

NOUNS = frozenset(
    {
        "access",
        "archive",
        "destinations",
        "edits",
        "exports",
        "headers",
        "operations",
        "pipe",
        "publish",
        "sites",
    }
)
FACES = frozenset({"service", "models", "documents", "errors", "fields"})
MOST_ROOMS = 25


def imports_of(module: Parts) -> Iterator[str]:
    """Yield the modules of this program that a module imports, wherever it does."""
    for node in module.imports:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("armillary."):
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                below = name.removeprefix("armillary.").replace(".", "/")
                is_module = any(path in sources() for path in (f"{below}.py", f"{below}/__init__.py"))
                yield name if is_module else str(node.module)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("armillary."))


def strangers(top: Path = TOP) -> dict[str, list[str]]:
    """Return who imports what lies behind the face of another noun. Commands may take kinds of work, too."""
    found: dict[str, list[str]] = {}
    for path, module in sources(top).items():
        own = path.partition("/")[0]
        allowed = FACES | {"kinds", "tasks"} if own == "commands" else FACES
        for name in imports_of(module):
            parts = name.split(".")
            if len(parts) > 1 and parts[1] in NOUNS - {own} and parts[-1] not in allowed:
                found.setdefault(path, []).append(name)
    return found


def test_nouns_are_known_by_what_they_offer() -> None:
    assert strangers() == {}


def test_what_lies_behind_a_face_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "edits").mkdir()
    lines = (
        "from armillary.archive.catalog import service, store",
        "from armillary.archive.query.search import search",
        "from armillary.archive.errors import FileNotFound",
        "from armillary.exports.tasks import KINDS",
        "from armillary.edits.store import find",
    )
    (tmp_path / "edits" / "one.py").write_text("\n".join(lines))
    behind = ["armillary.archive.catalog.store", "armillary.archive.query.search", "armillary.exports.tasks"]
    assert strangers(tmp_path) == {"edits/one.py": behind}


def test_a_noun_and_a_wing_have_few_rooms() -> None:
    places = [TOP / noun for noun in NOUNS]
    places += [
        one for noun in NOUNS for one in (TOP / noun).rglob("*") if one.is_dir() and one.name != "data"
    ]
    rooms = {
        str(one.relative_to(TOP)): sum(not room.name.startswith("__") for room in one.iterdir())
        for one in places
        if one.name != "__pycache__"
    }
    assert {place: count for place, count in rooms.items() if count > MOST_ROOMS} == {}
