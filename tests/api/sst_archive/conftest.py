"""One running server with an ingestion root, for all tests of the interface."""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from armillary.access.models import Scope
from armillary.demo.solar import SolarCube, write_cube
from tests.support.archive import OLD_NS
from tests.support.ingestion import TINY
from tests.support.postgres import in_memory
from tests.support.running import Running, running

_numbers = itertools.count()
INGEST = "/api/v1/ingest/"


@dataclass
class SunArchive:
    """A running server, and the root that its files are taken in from."""

    server: Running
    root: Path

    def put(self, **changes: Any) -> tuple[SolarCube, str]:
        """Write a cube of its own that came to rest long ago; return it and its path below the root."""
        cube = SolarCube(**TINY)
        cube = replace(cube, begin=cube.begin + timedelta(minutes=next(_numbers)), **changes)
        return cube, self.write(cube)

    def write(self, cube: SolarCube, *, name: str | None = None) -> str:
        """Write a cube, or another one in its place."""
        path = write_cube(self.root, cube, name=name)
        os.utime(path, ns=(OLD_NS, OLD_NS))
        return path.name

    def client(self, scope: Scope | None = Scope.INGEST) -> Any:
        """Open a client."""
        return self.server.client(scope=scope)

    def ingest(self, path: str, **fields: Any) -> httpx.Response:
        """Ask for a file to be taken in."""
        with self.client() as client:
            reply: httpx.Response = client.post(INGEST, json={"relative_path": path, **fields})
        return reply


@pytest.fixture(scope="session")
def sun() -> Iterator[SunArchive]:
    """Run everything on a directory of its own, where other accounts can be let in."""
    with tempfile.TemporaryDirectory(prefix="armillary-sun-", dir=in_memory()) as folder:
        base = Path(folder)
        base.chmod(0o711)
        root = base / "sst"
        root.mkdir(mode=0o755)
        settings = {
            "ARMILLARY_INGESTION__ROOTS": json.dumps({"sst": str(root)}),
            "ARMILLARY_INGESTION__WATCHED": "false",
        }
        with running(base / "data", **settings) as server:
            yield SunArchive(server, root)
