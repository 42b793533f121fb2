"""`armillary up` as a thing that is killed, in part or whole, and started again on the same directory."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.support.kills import Process, family, kill, wait_gone
from tests.support.postgres import server_account
from tests.support.running import STOP_S, UNLIMITED, ready_line

QUICK = {
    "ARMILLARY_DATABASE__ACCOUNT": server_account(),
    "ARMILLARY_WORK__WORKERS": "1",
    "ARMILLARY_WORK__LEASE_S": "1.5",
    "ARMILLARY_WORK__RETRY_FIRST_S": "0.05",
    "ARMILLARY_WORK__RETRY_LAST_S": "0.5",
    "ARMILLARY_WORK__MAX_ATTEMPTS": "20",
    **UNLIMITED,
}
NOWHERE = "http://127.0.0.1:1"


class Tree:
    """One data directory and the processes that serve it."""

    def __init__(self, data: Path, *, log: Path | None = None, **environment: str) -> None:
        self.data, self.environment = data, QUICK | environment
        self.url = NOWHERE
        self._log = log
        self._up: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start everything and wait until it serves."""
        command = [sys.executable, "-m", "armillary", "up", "--data", str(self.data), "--port", "0"]
        sink = self._log.open("ab") if self._log else subprocess.DEVNULL
        self._up = subprocess.Popen(
            command, env={**os.environ, **self.environment}, stdout=subprocess.PIPE, stderr=sink, cwd="/"
        )
        if self._log:
            sink.close()  # type: ignore[union-attr]
        self.url = ready_line(self._up)

    def stop(self) -> None:
        """Stop in good order."""
        assert self._up
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
        """Return all processes of the tree, the database's included."""
        roots = {self._up.pid} if self._up else set()
        nursery = {p.pid for p in family(set(), self.data) if "tests.support.nursery" in p.command}
        return [p for p in family(roots, self.data) if p.pid not in nursery and p.parent not in nursery]

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
            await self._begin_anew()
        return done

    async def kill_all(self) -> int:
        """Kill every process at once, and start again; return how many."""
        victims = await asyncio.to_thread(self.members)
        killed = sum(kill(p.pid) for p in victims)
        await asyncio.to_thread(wait_gone, {p.pid for p in victims} - {self._pid()})
        await self._begin_anew()
        return killed

    def _pid(self) -> int:
        return self._up.pid if self._up else -1

    async def _begin_anew(self) -> None:
        assert self._up
        # Its port may be anybody's by now.
        self.url = NOWHERE
        await asyncio.to_thread(self._up.wait)
        self._close()
        await asyncio.to_thread(self.start)

    def clear(self) -> None:
        """Kill whatever is left, after a test that failed."""
        with suppress(Exception):
            for process in self.members():
                kill(process.pid)
            if self._up:
                self._up.wait()
        self._close()
