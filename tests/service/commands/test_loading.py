"""Help and completion load next to nothing, and every command only what it needs."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from armillary.archive.intake.foresight.service import MODULES
from armillary.base.work import Kind
from armillary.cli import ENTRIES, load
from armillary.commands.work import KINDS
from armillary.context import Context
from armillary.operations.kinds import CHORES

HEAVY = {
    "alembic",
    "armillary.api",
    "armillary.app",
    "armillary.archive.catalog.service",
    "armillary.base.database",
    "armillary.context",
    "armillary.settings",
    "astropy",
    "asyncpg",
    "awscrt",
    "cdshealpix",
    "fastapi",
    "httpx",
    "msgspec",
    "numpy",
    "PIL",
    "prometheus_client",
    "pydantic_settings",
    "sqlalchemy",
    "structlog",
    "uvicorn",
    "typer.rich_utils",
    "watchfiles",
    "zstandard",
}
"""What `--help` and completion may not load: each takes longer than all that they need."""
LISTED = """
import json, sys
sys.argv = ["armillary", *sys.argv[1:]]
from armillary.cli import main
try:
    main()
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
BEFORE_THE_CHILD = """
import sys
from armillary.archive.intake.foresight import service
def seen(paths, data):
    print(*paths, *sys.modules)
    sys.exit(0)
service.child_for = seen
sys.argv = ["armillary", "ingest", sys.argv[1], "--data", sys.argv[1] + "/archive"]
from armillary.cli import main
main()
"""
"""Says what is loaded when `ingest` would start its first child."""


def loaded(*words: str, **environment: str) -> tuple[set[str], str]:
    """Run the command line in a process of its own; return the modules that it loaded, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", LISTED, *words],
        env=os.environ | {"COLUMNS": "80"} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stderr)), done.stdout


def completed(line: str) -> tuple[set[str], str]:
    """Complete a line as bash asks for it."""
    words = len(line.split(" ")) - 1
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(words), "_ARMILLARY_COMPLETE": "complete_bash"}
    return loaded(**asked)


def test_help_loads_no_command_and_nothing_heavy() -> None:
    modules, text = loaded("--help")
    for name, entry in ENTRIES.items():
        assert f"  {name} " in text
        assert entry.help in " ".join(text.split())
    assert {name for name in modules if name.startswith("armillary.")} <= {
        "armillary.cli",
        "armillary.commands",
        "armillary.commands.help",
    }
    assert modules & HEAVY == set()


def test_the_version_is_told_without_loading_anything() -> None:
    modules, text = loaded("--version")
    assert text == f"armillary {metadata.version('armillary')}\n"
    assert modules & HEAVY == set()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("armillary se", {"serve", "search"}),
        ("armillary search --ex", {"--exposure-min", "--exposure-max"}),
        ("armillary token ", {"create", "grant", "list", "revoke", "ungrant"}),
        ("armillary changeset show 1 --state re", {"refused", "reverted", "reverting"}),
    ],
)
def test_completion_loads_nothing_heavy(line: str, words: set[str]) -> None:
    modules, text = completed(line)
    assert set(text.split()) == words
    assert modules & HEAVY == set()


def test_no_command_loads_anything_heavy_before_it_works() -> None:
    found = "import sys, armillary.cli as cli; [cli.load(name) for name in cli.ENTRIES]; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", found], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & HEAVY == set()


@pytest.mark.parametrize("name", ENTRIES)
def test_the_list_of_commands_says_what_the_command_itself_says(name: str) -> None:
    command: Any = load(name)
    assert (command.name, command.help.split("\n")[0]) == (name, ENTRIES[name].help)


def test_reading_the_catalog_loads_no_libraries_of_arrays_pictures_and_migrations() -> None:
    needed = "armillary.context, armillary.archive.query.service, armillary.edits.history.service"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {needed}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    unneeded = {"alembic", "astropy", "awscrt", "cdshealpix", "fastapi", "httpx", "numpy", "PIL", "uvicorn"}
    assert set(done.stdout.split()) & unneeded == set()


def test_kinds_of_work_are_loaded_when_somebody_works_on_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, armillary.commands.work; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    unneeded = {"httpx", "numpy", "PIL", "yaml", "armillary.edits.service", "armillary.exports.service"}
    assert set(done.stdout.split()) & unneeded == set()


@pytest.mark.parametrize("kind", [*KINDS, *CHORES], ids=lambda kind: kind.name)
def test_every_kind_of_work_has_a_handler(kind: Kind[Context]) -> None:
    handler = kind.load()
    assert list(inspect.signature(handler).parameters)[:2] == ["context", "claims"]


def test_children_load_no_settings_and_no_database() -> None:
    needed = ", ".join(("armillary.base.sandbox.child", *MODULES))
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {needed}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    unneeded = {"armillary.settings", "asyncpg", "pydantic_settings", "sqlalchemy", "structlog"}
    assert set(done.stdout.split()) & unneeded == set()


def test_a_child_is_started_before_the_rest_of_ingest_is_loaded(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BEFORE_THE_CHILD, tmp_path], capture_output=True, text=True, check=True
    )
    path, *modules = done.stdout.split()
    assert path == str(tmp_path)
    assert set(modules) & HEAVY <= {"structlog"}
