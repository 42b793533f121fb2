"""Others know of a noun what it offers (services, models, documents, errors, fields), and nothing behind it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import armillary

TOP = Path(armillary.__file__).parent
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


def imports_of(path: Path) -> Iterator[str]:
    """Yield the modules of this program that a module imports, wherever it does."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("armillary."):
            for alias in node.names:
                below = TOP.joinpath(*str(node.module).split(".")[1:], alias.name)
                is_module = below.is_dir() or below.with_suffix(".py").is_file()
                yield f"{node.module}.{alias.name}" if is_module else str(node.module)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("armillary."))


def strangers(top: Path = TOP) -> dict[str, list[str]]:
    """Return who imports what lies behind the face of another noun. Commands may take kinds of work, too."""
    found: dict[str, list[str]] = {}
    for path in sorted(top.rglob("*.py")):
        own = path.relative_to(top).parts[0]
        allowed = FACES | {"tasks"} if own == "commands" else FACES
        for name in imports_of(path):
            parts = name.split(".")
            if len(parts) > 1 and parts[1] in NOUNS - {own} and parts[-1] not in allowed:
                found.setdefault(str(path.relative_to(top)), []).append(name)
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
