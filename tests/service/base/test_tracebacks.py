"""A traceback in the log names lines of code, and not the values that they had at hand."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys

import pytest

PROGRAM = """
from armillary.base.log import configure, get_logger
{first}
def fail():
    password = "open" + "sesame"
    raise ZeroDivisionError(len(password))
try:
    fail()
except ZeroDivisionError as error:
    get_logger("x").error("it failed", exc_info=error)
"""


def check(written: str) -> None:
    for part in ("it failed", "ZeroDivisionError: 10", "in fail"):
        assert part in written
    assert "opensesame" not in written


@pytest.mark.parametrize("first", ["", "configure(json=False)", "configure(json=True)"])
def test_a_traceback_tells_no_values(first: str) -> None:
    command = [sys.executable, "-c", PROGRAM.format(first=first)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    check(said.stdout + said.stderr)


def test_a_terminal_is_told_no_more() -> None:
    master, terminal = pty.openpty()
    command = [sys.executable, "-c", PROGRAM.format(first="configure()")]
    process = subprocess.Popen(command, stderr=terminal)
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):  # of a terminal that nobody has open any more
        while said := os.read(master, 1 << 16):
            shown += said
    os.close(master)
    assert process.wait(300) == 0
    check(shown.decode())
