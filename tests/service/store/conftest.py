from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from armillary.base.store.local import LocalStore

MakeStore = Callable[..., LocalStore]


@pytest.fixture
def make_store(tmp_path: Path) -> Iterator[MakeStore]:
    """Open stores of one tree, as several processes would."""
    made: list[LocalStore] = []

    def make(**options: Any) -> LocalStore:
        settings: dict[str, Any] = {"in_place": True, "threads": 4, "lock_wait_s": 0.2} | options
        store = LocalStore(tmp_path / "files", tmp_path / "private", **settings)
        made.append(store)
        return store

    yield make
    for store in made:
        store.close()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return the tree of files."""
    return tmp_path / "files"


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """Return the private directory."""
    return tmp_path / "private"
