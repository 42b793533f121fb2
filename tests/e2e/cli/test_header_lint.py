"""Lint on the command line, and the page that leads to an own instrument: what it shows is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from armillary.headers.recipes.functions import FUNCTIONS
from armillary.headers.recipes.lint.judging import CODES
from armillary.headers.recipes.models import (
    BUILT_IN,
    Derived,
    Fallback,
    Keyword,
    MomentEntry,
    Pick,
    Recipe,
    Source,
    Timing,
)
from armillary.headers.recipes.shapes import options
from tests.support.command import ENVIRONMENT, PATIENCE_S, Commands, Said
from tests.support.patience import in_time
from tests.support.premade import prepare

PAGE = (Path(__file__).parents[3] / "docs" / "header-service.md").read_text()
FILES = dict(re.findall(r"^`([a-z]+/[\w/]+\.yaml)`\n```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
SESSIONS = re.findall(r"^```console\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
FINDINGS = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def said(directory: Path, *words: str) -> Said:
    """Run a command in a directory."""
    done = subprocess.run(
        [sys.executable, "-m", "armillary", *words],
        cwd=directory,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Said(done.stdout, done.stderr, done.returncode)


def played(directory: Path, session: str) -> None:
    """Run the commands of a session and compare what they print with what the page shows."""
    for part in session.split("$ armillary ")[1:]:
        command, _, shown = part.partition("\n")
        answer = said(directory, *command.split())
        assert answer.code == 0, answer
        if shown:
            assert answer.out == shown


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory in which the page has been followed to its end."""
    top = tmp_path_factory.mktemp("page")
    played(top, SESSIONS[0])
    for name, text in FILES.items():
        (top / "observatory" / name).parent.mkdir(parents=True, exist_ok=True)
        (top / "observatory" / name).write_text(text)
    return top


def test_the_page_leads_to_an_own_instrument(directory: Path) -> None:
    assert len(FILES) == 3
    for session in SESSIONS[1:-1]:
        played(directory, session)
    resolved = said(directory, "header", "config", "observatory", "--instrument", "kite").json()
    assert resolved["kite"]["recipe"]["keywords"]["COOLPWR"]["max_age"] == 30_000_000_000
    assert "raw" in resolved["kite"]["templates"]


def test_the_page_leads_to_headers(directory: Path) -> None:
    before, _, after = SESSIONS[-1].partition("$ armillary up &\n")
    simulated, _, renamed = before.partition("$ sed ")
    played(directory, simulated)
    subprocess.run(f"sed {renamed}", shell=True, check=True, cwd=directory)
    archive = Commands(
        prepare(directory / "data"), {"ARMILLARY_HEADERS__DIRECTORY": str(directory / "observatory")}
    )
    with archive.up():
        for part in after.split("$ armillary ")[1:]:
            command, _, shown = part.partition("\n")
            end = time.monotonic() + PATIENCE_S
            while (answer := archive.run(*command.split(), cwd=directory)).out != shown and shown:
                # Headers are made a moment after their events.
                in_time(end, answer.out)
    assert (directory / "kite.hdr").stat().st_size % 2880 == 0


def test_findings_are_printed_as_the_page_shows(directory: Path) -> None:
    path = directory / "observatory" / "templates" / "kite" / "raw.yaml"
    before = path.read_text()
    path.write_text(before.replace("COOLPWR", "COOLPOWR"))
    answer = said(directory, "header", "lint", "observatory")
    told = said(directory, "header", "lint", "observatory", "--json")
    own = said(directory, "header", "lint", "observatory", "--json", "--instrument", "cam9")
    path.write_text(before)
    assert (answer.code, answer.out) == (1, FINDINGS[0])
    assert told.code == 1
    assert [sorted(one) for one in told.json()] == [["code", "file", "line", "message"]] * 2
    assert (told.json()[0]["code"], told.json()[0]["file"]) == ("X01", "instruments/kite.yaml")
    assert (own.code, own.json()) == (0, [])


def test_what_is_no_configuration_is_refused(tmp_path: Path) -> None:
    assert "no instruments" in said(tmp_path, "header", "lint", ".").err
    assert said(tmp_path, "header", "lint", "none").code == 2
    assert said(tmp_path, "header", "lint").code == 2
    assert "$defs" in said(tmp_path, "header", "lint", "--schema").json()
    assert said(tmp_path, "header", "config", "new", "--new", "--instrument", "kite").code == 1
    assert said(tmp_path, "header", "config", "new", "--new").code == 0
    again = said(tmp_path, "header", "config", "new", "--new")
    assert "header_configuration_exists" in again.err
    assert again.code == 1


@pytest.mark.parametrize("kind", [Recipe, MomentEntry, Timing, Source, Keyword, Fallback, Derived])
def test_the_page_names_every_option(kind: type) -> None:
    missing = [name for name in options(kind) if f"`{name}`" not in PAGE]
    assert [name for name in missing if name != "instrument"] == []


def test_the_page_names_picks_functions_codes_and_built_in_cards() -> None:
    assert [pick for pick in Pick if f"`{pick}`" not in PAGE] == []
    assert [name for name in FUNCTIONS if f"`{name}(" not in PAGE] == []
    assert [code for code in CODES if f"| {code} |" not in PAGE] == []
    assert [key for key in BUILT_IN if key not in PAGE] == []
