"""Processes of a running tree, found and killed by their pids: one of them, or all in the same instant."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.support.patience import in_time

MARK = "TEST_TREE"
"""Names, in the environment of processes, the data directory that they live on."""
AT_REST = "TtZX"
"""States of processes that do nothing more by themselves."""


@dataclass(frozen=True)
class Process:
    """What /proc says of a process."""

    pid: int
    parent: int
    session: int
    state: str
    command: str


def processes() -> list[Process]:
    """Return every process that can be seen, zombies left out."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (process := look(int(entry.name))):
            found.append(process)
    return found


def look(pid: int) -> Process | None:
    """Return what is known of a process; None if it has ended."""
    with contextlib.suppress(OSError):
        entry = Path("/proc", str(pid))
        state, parent, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
        command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        if state not in "ZX":
            return Process(pid, int(parent), int(session), state, command)
    return None


def family(roots: set[int], data: Path) -> list[Process]:
    """Return the processes below some, and those that belong to a data directory of the test.

    The children of PostgreSQL, like those of ours, lead sessions of their own, and nobody who has lost its parent
    is found by that: whose sessions, command, environment or directory it is counts as well.
    """
    everybody = processes()
    ourselves = _ancestors({p.pid: p.parent for p in everybody})
    members = roots | {p.pid for p in everybody if p.pid not in ourselves and _names(p, data)}
    while more := {p.pid for p in everybody if {p.parent, p.session} & members} - members - ourselves:
        members |= more
    return [p for p in everybody if p.pid in members]


def _ancestors(parents: dict[int, int]) -> set[int]:
    """Return this process and those above it."""
    found, pid = set[int](), os.getpid()
    while pid in parents:
        found.add(pid)
        pid = parents[pid]
    return found


def _names(process: Process, data: Path) -> bool:
    """Tell whether a process names a directory, or works in it, or was given it by a parent that is gone."""
    entry = Path("/proc", str(process.pid))
    with contextlib.suppress(OSError):
        words = [os.fsdecode(word) for word in (entry / "cmdline").read_bytes().split(b"\0")]
        if any(_is_below(word, data) for word in words):
            return True
    with contextlib.suppress(OSError):
        if _is_below(str((entry / "cwd").readlink()), data):
            return True
    with contextlib.suppress(OSError):
        return os.fsencode(f"{MARK}={data}") in (entry / "environ").read_bytes().split(b"\0")
    return False


def _is_below(path: str, directory: Path) -> bool:
    return path == str(directory) or path.startswith(f"{directory}/")


def kill(pid: int) -> bool:
    """Send SIGKILL; False if the process was gone already."""
    return _send(pid, signal.SIGKILL)


def _send(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def freeze(find: Callable[[], Iterable[Process]], seconds: float = 60.0) -> set[int]:
    """Stop all processes that ``find`` finds, also those that they start meanwhile; return which."""
    frozen: set[int] = set()
    while new := {p.pid for p in find()} - frozen:
        frozen |= {pid for pid in new if _send(pid, signal.SIGSTOP)}
        end = time.monotonic() + seconds
        while any((p := look(pid)) and p.state not in AT_REST for pid in new):
            # One in the middle of a call of the kernel stops at its end, and forks no more after that.
            in_time(end, f"not stopped: {new}")
            time.sleep(0.001)
    return frozen


def thaw(pids: Iterable[int]) -> None:
    """Let stopped processes go on."""
    for pid in pids:
        _send(pid, signal.SIGCONT)


def kill_at_once(find: Callable[[], Iterable[Process]]) -> set[int]:
    """Kill all processes that ``find`` finds as a power failure does: none of them sees another one die."""
    return {pid for pid in freeze(find) if kill(pid)}


def wait_gone(pids: set[int], seconds: float = 300.0) -> None:
    """Wait until processes have ended."""
    end = time.monotonic() + seconds
    while left := pids & {p.pid for p in processes()}:
        in_time(end, f"still there: {left}")
        time.sleep(0.01)
