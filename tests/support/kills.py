"""Processes of a running tree, found and killed by their pids."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from tests.support.patience import in_time


@dataclass(frozen=True)
class Process:
    """What /proc says of a process."""

    pid: int
    parent: int
    command: str


def processes() -> list[Process]:
    """Return every process that can be seen, zombies left out."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                if state != "Z":
                    found.append(Process(int(entry.name), int(parent), command))
    return found


def family(roots: set[int], data: Path) -> list[Process]:
    """Return the processes below some, and those whose command names a data directory of the test."""
    everybody = processes()
    members = roots | {p.pid for p in everybody if str(data) in p.command}
    while more := {p.pid for p in everybody if p.parent in members} - members:
        members |= more
    return [p for p in everybody if p.pid in members]


def kill(pid: int) -> bool:
    """Send SIGKILL; False if the process was gone already."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def wait_gone(pids: set[int], seconds: float = 300.0) -> None:
    """Wait until processes have ended."""
    end = time.monotonic() + seconds
    while left := pids & {p.pid for p in processes()}:
        in_time(end, f"still there: {left}")
        time.sleep(0.01)
