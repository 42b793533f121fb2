"""One running server for all tests of the interface, and small files to edit."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.night import gemini_file, write_as
from tests.support.postgres import in_memory
from tests.support.running import Running, running

_numbers = itertools.count(1)
_programs = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Running]:
    """Run everything on a directory of its own, where other accounts can be let in."""
    with tempfile.TemporaryDirectory(prefix="armillary-api-", dir=in_memory()) as folder:
        Path(folder).chmod(0o711)
        with running(Path(folder) / "data") as one:
            yield one


Maker = Callable[..., str]


@pytest.fixture
def own_program() -> str:
    """Return a program that has no file yet; modules share a server, and so these numbers."""
    return f"GN-2027A-Q-{next(_programs)}"


@pytest.fixture
def a_file(server: Running, tmp_path: Path) -> Maker:
    """Return a maker of ingested files: it takes cards and a container, and returns the logical name."""

    def make(*, container: str = "", copy: bool = False, kb: int = 2, **cards: object) -> str:
        number = next(_numbers)
        name = f"N20260101S{number:04d}.fits"
        label = f"GN-2026A-Q-1-{number}-001"
        content = gemini_file(kb=kb, **({"DATALAB": label} | cards))
        server.ingest(write_as(tmp_path / f"{name}{container}", content), copy=copy)
        return name

    return make


@pytest.fixture(scope="module")
def shared_file(server: Running, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a file for requests that change nothing."""
    name = f"N20260103S{next(_numbers):04d}.fits"
    server.ingest(write_as(tmp_path_factory.mktemp("night") / name, gemini_file(DATALAB=name)))
    return name
