"""The process that keeps PostgreSQL running while somebody uses it, and not longer.

Run as ``python -m armillary.base.postgres.supervisor DIRECTORY ...`` by the first user of a directory.
Standard library only: it lives as long as the server and should be small.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from armillary.base.postgres import binaries, cluster, locks
from armillary.base.postgres.account import resolve
from armillary.base.postgres.postmaster import Postmaster, StartFailed

LOG_BYTES = 8 << 20
READY_S = 600.0
STOP_S = 60.0
QUICK_DEATH_S = 10.0
MOST_QUICK_DEATHS = 5
FAILED = "failed"
READY = "ready"


class Supervisor:
    """One directory, one server."""

    def __init__(self, top: Path, package: Path, account: str, web_account: str | None) -> None:
        self.top, self.package, self.account_name, self.web_account = top, package, account, web_account
        self.alive = locks.Lock(top / locks.SUPERVISOR)
        self.users = locks.Lock(top / locks.USERS)
        self.log = _open_log(top / "postgres.log")
        self.deserted, self._tell = os.pipe()

    def begin(self) -> None:
        """Wait for the end of predecessors, make the cluster fit to start, and start it."""
        self.alive.exclusive()
        with suppress(FileNotFoundError):
            (self.top / FAILED).unlink()
        self.account, remark = resolve(self.account_name, self.top / cluster.CLUSTER)
        if remark:
            self.say(remark)
        self.home = binaries.usable(self.package, self.account)
        self._wait_for_old_server()
        self.directories = cluster.prepare(
            self.top, self.home, self.account, lz4=binaries.has_lz4(self.home), web_account=self.web_account
        )
        self.postmaster = self._start()

    def watch(self) -> None:
        """Keep the server running until no user is left, then stop it."""
        threading.Thread(target=self._wait_for_desertion, daemon=True).start()
        quick = 0
        while True:
            ready, _, _ = select.select([self.deserted, self.postmaster.pidfd], [], [])
            if self.deserted in ready:
                self.postmaster.stop(STOP_S)
                return
            quick = quick + 1 if time.monotonic() - self.postmaster.started < QUICK_DEATH_S else 0
            self.postmaster.close()
            self.say(f"PostgreSQL ended with status {self.postmaster.process.returncode}; starting it again")
            if self._restart(quick):
                return

    def end(self) -> None:
        """Let newcomers in: they must not take us for alive once they have the users' lock."""
        self.alive.close()
        self.users.close()

    def say(self, text: str) -> None:
        """Write a line into the log of the server."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        os.write(self.log, f"{stamp} [{os.getpid()}] supervisor: {text}\n".encode())

    def _restart(self, quick: int) -> bool:
        """Start the server again; return whether there is nobody left to do it for."""
        for attempt in range(quick, MOST_QUICK_DEATHS):
            if attempt and select.select([self.deserted], [], [], 0.1 * 2**attempt)[0]:
                return True
            try:
                self._wait_for_old_server()
                self.postmaster = self._start()
            except (StartFailed, OSError) as error:
                self.say(str(error))
            else:
                return False
        raise StartFailed(f"PostgreSQL keeps dying; see {self.top / 'postgres.log'}")

    def _start(self) -> Postmaster:
        cluster.forget_dead_server(self.directories)
        started = Postmaster.start(self.home, self.directories, self.account, self.log, self.server_lock.fd)
        # From here on only the server itself holds this lock.
        self.server_lock.close()
        try:
            started.wait_ready(self.directories, READY_S)
        except StartFailed:
            started.stop(STOP_S)
            raise
        return started

    def _wait_for_old_server(self) -> None:
        self.server_lock = locks.Lock(self.top / locks.SERVER)
        self.server_lock.exclusive()

    def _wait_for_desertion(self) -> None:
        self.users.exclusive()
        os.write(self._tell, b"x")


def _open_log(path: Path) -> int:
    with suppress(FileNotFoundError):
        if path.stat().st_size > LOG_BYTES:
            path.rename(path.with_suffix(".log.1"))
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


class Report:
    """What the process that started us waits for: one word through a pipe, and the start lock."""

    def __init__(self, pipe: int, start_lock: int) -> None:
        self.fds = (pipe, start_lock)
        self.made = False
        for fd in self.fds:
            os.set_inheritable(fd, False)

    def make(self, text: str) -> None:
        """Send the first report and release the start lock; later ones go nowhere."""
        if self.made:
            return
        self.made = True
        pipe, start_lock = self.fds
        with suppress(BrokenPipeError):
            os.write(pipe, text.encode())
        fcntl.flock(start_lock, fcntl.LOCK_UN)
        os.close(pipe)
        os.close(start_lock)


def main(arguments: list[str]) -> int:
    """Serve one directory; report readiness or the reason of failure to the one who started us."""
    parser = argparse.ArgumentParser()
    parser.add_argument("top", type=Path)
    parser.add_argument("--package", type=Path, required=True)
    parser.add_argument("--account", required=True)
    parser.add_argument("--web-account")
    parser.add_argument("--report", type=int, required=True)
    parser.add_argument("--start-lock", type=int, required=True)
    options = parser.parse_args(arguments)
    # Users decide when we stop, by going; a signal to the whole group must not take their database away.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)
    report = Report(options.report, options.start_lock)
    supervisor = Supervisor(options.top, options.package, options.account, options.web_account)
    try:
        supervisor.begin()
        report.make(READY)
        supervisor.watch()
    except Exception as error:
        supervisor.say(f"giving up: {error}")
        (options.top / FAILED).write_text(f"{error}\n")
        report.make(str(error))
        return 1
    finally:
        supervisor.end()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
