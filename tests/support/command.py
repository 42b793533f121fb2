"""The command line as its users meet it: real processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from armillary.base.place import POSTGRES
from armillary.base.postgres.server import EmbeddedServer
from tests.support.patience import NotStarted, in_time
from tests.support.postgres import server_account
from tests.support.premade import prepare

ENVIRONMENT = os.environ | {"ARMILLARY_DATABASE__ACCOUNT": server_account(), "COLUMNS": "80"}
PATIENCE_S = 300.0
"""Longer than anything takes that ends at all, on a slow and busy machine too."""


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit code."""

    out: str
    err: str
    code: int

    def json(self) -> Any:
        """Return its JSON."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Commands:
    """Commands on one data directory."""

    data: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def start(self, *words: str | Path, **options: Any) -> subprocess.Popen[str]:
        """Start a command and do not wait for it."""
        command = [sys.executable, "-m", "armillary", *map(str, words), "--data", str(self.data)]
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            text=True,
            **{
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                "env": {**ENVIRONMENT, **self.environment},
            }
            | options,
        )

    def run(self, *words: str | Path, code: int = 0, **options: Any) -> Said:
        """Run a command to its end and check its exit code."""
        said = finish(self.start(*words, **options))
        assert said.code == code, said
        assert "Traceback" not in said.err, said.err
        return said

    @contextmanager
    def up(self, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
        """Run `armillary up` while the block runs; give its process and address."""
        # Nobody reads the log while the program runs, and a full pipe would hold it up.
        with tempfile.TemporaryFile("w+") as log:
            process = self.start("up", "--port", "0", *words, stderr=log)
            try:
                yield process, address_of(process)
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                finish(process)
                log.seek(0)
                sys.stderr.write(log.read()[-10_000:])


@contextmanager
def awake(data: Path) -> Iterator[Path]:
    """Keep the database of an archive running: every command would start it and stop it again."""
    server = asyncio.run(EmbeddedServer.acquire(prepare(data) / POSTGRES, account=server_account()))
    try:
        yield data
    finally:
        asyncio.run(server.release())


def address_of(process: subprocess.Popen[str]) -> str:
    """Wait until the program is ready and return its address."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise NotStarted(finish(process))
    word, address = line.split()
    assert word == "ready"
    return address


def finish(process: subprocess.Popen[str]) -> Said:
    """Wait for the end of a process."""
    try:
        out, err = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Said(out, err or "", process.returncode)


def servers_of(data: Path) -> list[str]:
    """Return the command lines of processes that work in a directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # Words of anybody's command may be no text.
                line = os.fsdecode((entry / "cmdline").read_bytes().replace(b"\0", b" "))
                where = str((entry / "cwd").readlink())
            except OSError:
                continue
            if str(data) in line or where.startswith(str(data)):
                found.append(line)
    return found


def databases_of(data: Path) -> list[str]:
    """Return those of them that are PostgreSQL itself, not who looks after it."""
    return [line for line in servers_of(data) if "bin/postgres" in line or line.startswith("postgres:")]


def await_rest(data: Path) -> None:
    """Wait until nobody works in a directory any more.

    Whoever looked after the database has nothing left to do when its last user goes, and ends by itself a
    moment later.
    """
    end = time.monotonic() + PATIENCE_S
    while left := servers_of(data):
        in_time(end, left)
        time.sleep(0.02)
