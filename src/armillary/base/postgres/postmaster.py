"""One run of the postmaster: started to die with its supervisor, stopped without loss.

Standard library only: the supervisor process imports this.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import time
from pathlib import Path

from armillary.base.postgres.account import Account
from armillary.base.postgres.cluster import Directories, is_ready

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class StartFailed(Exception):
    """PostgreSQL did not start; the end of postgres.log says why."""


class Postmaster:
    """A child process that is PostgreSQL."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.pidfd = os.pidfd_open(process.pid)
        self.started = time.monotonic()

    @classmethod
    def start(
        cls, home: Path, directories: Directories, account: Account, log: int, server_lock: int
    ) -> Postmaster:
        """Start PostgreSQL; it inherits ``server_lock``, so the lock tells whether any backend lives.

        Must be called by the main thread: the death signal follows the thread that forked.
        """
        parent = os.getpid()

        def die_with_parent() -> None:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT)
            if os.getppid() != parent:
                os._exit(1)

        command: list[str | Path] = [
            home / "bin/postgres",
            "-D",
            directories.data_path,
            "-k",
            directories.sockets_path,
        ]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(*directories.fds, server_lock),
            cwd="/",
            start_new_session=True,
            # After the privileges are dropped, which would clear the death signal, and before exec.
            preexec_fn=die_with_parent,
            env={k: v for k, v in os.environ.items() if not k.startswith("PG")},
            **account.identity(),
        )
        return cls(process)

    def wait_ready(self, directories: Directories, limit_s: float) -> None:
        """Wait until connections are accepted; crash recovery may take its time."""
        end = time.monotonic() + limit_s
        while not is_ready(directories):
            if self.died_within(0.005):
                raise StartFailed(f"PostgreSQL exited with status {self.process.wait()} while starting")
            if time.monotonic() > end:
                raise StartFailed(f"PostgreSQL was not ready after {limit_s:.0f} s")

    def died_within(self, seconds: float) -> bool:
        """Wait for the end of the process, at most ``seconds``."""
        return bool(select.select([self.pidfd], [], [], seconds)[0])

    def stop(self, limit_s: float) -> None:
        """End all sessions and write everything out; after ``limit_s``, leave the rest to recovery."""
        for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if self.process.poll() is None:
                self.process.send_signal(how)
            if self.died_within(limit_s):
                break
        self.close()

    def close(self) -> None:
        """Collect the exit status of a process that has ended."""
        self.process.wait()
        os.close(self.pidfd)
