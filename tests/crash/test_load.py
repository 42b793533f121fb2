"""A short run of the load of six clients; `python -m tests.crash.load` for minutes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.load import besiege

SECONDS = 8.0


@pytest.mark.crash
def test_six_clients_get_no_error_and_read_what_was_written(tmp_path: Path) -> None:
    load = besiege(tmp_path, SECONDS, seed=1)
    assert not load.faults, "\n".join(load.faults[:20])
    assert {"read", "download", "edit", "edit, done", "upload"} <= load.times.keys()
    assert load.edited
    assert load.uploaded
    assert min(load.memory_mb) > 0
