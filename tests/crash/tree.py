"""`armillary up` as a thing that is killed, in part or whole, and started again on the same directory."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.support.kills import MARK, Process, family, freeze, kill, kill_at_once, thaw, wait_gone
from tests.support.postgres import server_account
from tests.support.premade import prepare
from tests.support.running import STOP_S, UNLIMITED, ready_line

DEFAULTS = {"ARMILLARY_DATABASE__ACCOUNT": server_account()}
"""As it is installed: only the account is one that exists everywhere."""
QUICK = {
    **DEFAULTS,
    "ARMILLARY_WORK__WORKERS": "1",
    "ARMILLARY_WORK__LEASE_S": "1.5",
    "ARMILLARY_WORK__RETRY_FIRST_S": "0.05",
    "ARMILLARY_WORK__RETRY_LAST_S": "0.5",
    "ARMILLARY_WORK__MAX_ATTEMPTS": "20",
    **UNLIMITED,
}
NOWHERE = "http://127.0.0.1:1"
POSTGRES = ("bin/postgres -D", "postgres: ")
"""What the commands of the database's processes hold."""


class Tree:
    """One data directory and the processes that serve it."""

    def __init__(
        self,
        data: Path,
        *,
        log: Path | None = None,
        settings: Mapping[str, str] = QUICK,
        **environment: str,
    ) -> None:
        self.data, self.environment = data, {**settings, **environment}
        self.url = NOWHERE
        self.began = self.ready = 0.0
        """When it was started last, and when it served, in seconds since 1970."""
        self._log = log
        self._up: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start everything and wait until it serves."""
        command = [sys.executable, "-m", "armillary", "up", "--data", str(prepare(self.data)), "--port", "0"]
        sink = self._log.open("ab") if self._log else subprocess.DEVNULL
        # What has lost its parent is still known by its environment.
        environment = {**os.environ, **self.environment, MARK: str(self.data)}
        self.began = time.time()
        self._up = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=sink, cwd="/")
        if self._log:
            sink.close()  # type: ignore[union-attr]
        self.url = ready_line(self._up)
        self.ready = time.time()

    def stop(self) -> None:
        """Stop in good order."""
        assert self._up
        # Its port may be anybody's by now.
        self.url = NOWHERE
        self._up.send_signal(signal.SIGTERM)
        assert self._up.wait(STOP_S) == 0
        self._close()

    def await_rest(self) -> None:
        """Wait until nobody is left; who looked after the database ends a moment after its last user."""
        wait_gone({process.pid for process in self.members()})

    def _close(self) -> None:
        if self._up and self._up.stdout:
            self._up.stdout.close()
        self._up = None

    def members(self) -> list[Process]:
        """Return all processes of the tree, the database's included, but no workers that a nursery feeds."""
        nurseries = {p.pid for p in self._nurseries()}
        return [p for p in self._mortals() if p.parent not in nurseries]

    def _mortals(self) -> list[Process]:
        """Return all processes that live on this directory: a nursery is a part of the test."""
        nurseries = {p.pid for p in self._nurseries()}
        return [p for p in self._everybody() if p.pid not in nurseries]

    def _nurseries(self) -> list[Process]:
        alike = {p.pid: p for p in self._everybody() if "tests.support.nursery" in p.command}
        # The workers that one forks have the same command.
        return [p for p in alike.values() if p.parent not in alike]

    def _everybody(self) -> list[Process]:
        return family({self._up.pid} if self._up else set(), self.data)

    def one(self, kind: str) -> Process | None:
        """Return a process: serve, worker, supervisor, postmaster, up."""
        marks = {
            "serve": "-m armillary serve",
            "worker": "-m armillary worker",
            "supervisor": "armillary.base.postgres.supervisor",
            "postmaster": "bin/postgres -D",
            "up": "-m armillary up",
        }
        return next((p for p in self.members() if marks[kind] in p.command), None)

    async def kill_one(self, kind: str) -> bool:
        """Kill one process; the others have to cope. The parent is replaced, since nobody else does."""
        victim = await asyncio.to_thread(self.one, kind)
        done = victim is not None and kill(victim.pid)
        if kind == "up" and done:
            await self.begin_anew()
        return done

    async def kill_all(self) -> int:
        """Kill every process in one instant, as a power failure does, and start again; return how many."""
        killed = await asyncio.to_thread(self.fail)
        await self.begin_anew()
        return killed

    def pause(self) -> None:
        """Stop every process but those of the database, which still says how things stand."""
        freeze(lambda: [p for p in self._mortals() if not any(mark in p.command for mark in POSTGRES)])

    def fail(self) -> int:
        """Kill every process in one instant; return how many."""
        nurseries = freeze(self._nurseries)
        try:
            killed = kill_at_once(self._mortals)
        finally:
            thaw(nurseries)
        wait_gone(killed)
        return len(killed)

    async def begin_anew(self) -> None:
        """Start again what was killed."""
        assert self._up
        self.url = NOWHERE
        await asyncio.to_thread(self._up.wait)
        self._close()
        await asyncio.to_thread(self.start)

    def clear(self) -> None:
        """Kill whatever is left, after a test that failed."""
        with suppress(Exception):
            kill_at_once(self._mortals)
            if self._up:
                self._up.wait()
        self._close()
