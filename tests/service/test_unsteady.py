"""Which failures get a second run in continuous integration, shown by real runs of pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.patience import NotStarted, OutOfTime
from tests.support.unsteady import ASKED, is_late

ROOT = Path(__file__).parents[2]
CONFTEST = """
from tests.support import unsteady
from tests.support.unsteady import pytest_runtest_makereport

def pytest_configure(config):
    unsteady.configure(config)
"""
ONCE_LATE = """
def test_slow():
    from pathlib import Path
    from tests.support.patience import in_time
    before = Path(__file__).with_suffix(".before")
    if not before.exists():
        before.touch()
        in_time(0.0, "no server")
"""
ALWAYS_LATE = """
def test_stuck():
    raise TimeoutError("never")
"""
WRONG_ONCE = """
def test_value():
    from pathlib import Path
    before = Path(__file__).with_suffix(".before")
    was_there = before.exists()
    before.touch()
    assert was_there
"""


def run(directory: Path, *modules: str, ci: bool = True, processes: int = 0) -> tuple[int, str]:
    """Run pytest on modules and return its exit code and what it says."""
    (directory / "conftest.py").write_text(CONFTEST)
    (directory / "pytest.ini").write_text("[pytest]")
    for number, module in enumerate(modules):
        (directory / f"test_{number}.py").write_text(module)
    environment = {key: value for key, value in os.environ.items() if key not in ASKED}
    environment |= {"PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": "-p no:schemathesis"}
    environment |= {"CI": "true"} if ci else {}
    command = [sys.executable, "-m", "pytest", f"-n{processes}", "--randomly-seed=7", str(directory)]
    found = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    return found.returncode, found.stdout


@pytest.mark.parametrize("processes", [0, 2])
def test_what_was_late_once_passes_and_is_named_last(tmp_path: Path, processes: int) -> None:
    code, out = run(tmp_path, ONCE_LATE, processes=processes)
    assert code == 0, out
    assert out.strip().splitlines()[-1].startswith("unsteady: test_0.py::test_slow ")


def test_what_is_always_late_fails(tmp_path: Path) -> None:
    code, out = run(tmp_path, ALWAYS_LATE)
    assert code == 1
    assert "unsteady" not in out


def test_a_wrong_value_fails_whatever_else_was_late(tmp_path: Path) -> None:
    code, out = run(tmp_path, ONCE_LATE, WRONG_ONCE)
    assert code == 1
    assert out.strip().splitlines()[-1].startswith("unsteady: test_0.py::test_slow ")
    assert out.count("was_there = False") <= 1, "it was run twice"
    assert "SEED=7, for `make test`" in out


def test_nothing_is_run_twice_elsewhere(tmp_path: Path) -> None:
    code, out = run(tmp_path, ONCE_LATE, ci=False)
    assert code == 1
    assert "unsteady" not in out


def test_late_is_what_says_nothing_about_data() -> None:
    assert is_late(OutOfTime("x"))
    assert is_late(ExceptionGroup("both", [NotStarted("a"), TimeoutError()]))
    assert not is_late(ExceptionGroup("one", [NotStarted("a"), AssertionError()]))
    assert not is_late(AssertionError("no"))
