from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from armillary.base.store.local import LocalStore
from tests.support.memory_store import MemoryStore

WAIT_S = 0.05
MEMORY_DISK = Path("/dev/shm")


@pytest.fixture(params=["memory", "in_place", "copies", "in_place_on_tmpfs"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MemoryStore | LocalStore]:
    """Every backend; tmpfs stands for file systems that cannot insert ranges."""
    if request.param == "memory":
        yield MemoryStore(lock_wait_s=WAIT_S)
        return
    base = tmp_path
    if request.param == "in_place_on_tmpfs":
        if not MEMORY_DISK.is_dir():
            pytest.skip("there is no tmpfs here")
        base = Path(tempfile.mkdtemp(dir=MEMORY_DISK))
    made = LocalStore(
        base / "files", base / "private", in_place=request.param != "copies", lock_wait_s=WAIT_S
    )
    yield made
    made.close()
    if base != tmp_path:
        shutil.rmtree(base)
