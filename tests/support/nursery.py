"""A process that has imported everything and forks real workers on request: lives of workers at a low price.

``python -m tests.support.nursery DATA`` reads a name per line, starts a worker of that name, prints its pid. For
``header INSTRUMENT`` it starts the header service of an instrument.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import typer

from armillary.commands import header_service, processes, working
from armillary.headers import service as headers
from armillary.sky.healpix import healpix_index

PR_SET_PDEATHSIG = 1
SERVICE = "header"
"""What a name begins with that means a header service."""


def _live(data: Path, name: str, parent: int) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(null, fd)
    if os.getppid() == parent:
        kind, _, instrument = name.partition(" ")
        with contextlib.suppress(typer.Exit):
            if kind == SERVICE:
                header_service.run_service(instrument, data=data)
            else:
                processes.worker(data=data, slots=4, until_empty=False, name=name)


def main(data: Path) -> None:
    """Fork until the input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    parent = os.getpid()
    # What a worker would load first, all of its siblings have.
    _ = working, headers
    healpix_index(0.0, 0.0)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                _live(data, line.strip(), parent)
            finally:
                os._exit(0)
        print(pid, flush=True)


class Nursery:
    """The near end of such a process."""

    def __init__(self, data: Path, environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "tests.support.nursery", str(data)]
        self._process = subprocess.Popen(
            command,
            cwd=Path(__file__).parents[2],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        self._asking = threading.Lock()
        self._children: list[int] = []

    def spawn(self, name: str) -> int:
        """Start a worker and return its pid."""
        assert self._process.stdin
        assert self._process.stdout
        with self._asking:
            self._process.stdin.write(f"{name}\n")
            self._process.stdin.flush()
            pid = int(self._process.stdout.readline())
            self._children = [child for child in self._children if not _has_ended(child, patience_ms=0)]
            with contextlib.suppress(ProcessLookupError):
                self._children.append(os.pidfd_open(pid))
            return pid

    def close(self) -> None:
        """End all of its workers by SIGKILL, and return once they are gone with their locks."""
        self._process.kill()
        self._process.wait()
        # They die by their parent's death, a moment later: until then the kernel keeps their locks.
        self._children = [child for child in self._children if not _has_ended(child)]
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def _has_ended(child: int, patience_ms: int | None = None) -> bool:
    """Tell whether a process has ended, after waiting for it; the descriptor of one that has is closed."""
    poll = select.poll()
    poll.register(child, select.POLLIN)
    if not poll.poll(patience_ms):
        return False
    os.close(child)
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]))
