"""The process of a running program that serves, looked at from outside."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.patience import NotStarted
from tests.support.running import Running


def web_process(server: Running) -> Path:
    """Return the directory in /proc of the process that serves."""
    wanted = [b"serve", b"--data", os.fsencode(server.settings.data)]
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(words[at : at + 3] == wanted for at in range(len(words))):
            return place
    raise NotStarted("no process serves")


def descriptors(process: Path) -> int:
    """Return how many descriptors a process holds."""
    return len(list((process / "fd").iterdir()))


def resident_mb(process: Path) -> float:
    """Return the memory of a process in megabytes."""
    line = next(one for one in (process / "status").read_text().splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
