"""A short run of the load of six clients; `python -m tests.crash.load` for minutes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.load import GROWTH_LIMIT, KINDS, besiege, growth

SECONDS = 8.0


@pytest.mark.crash
def test_six_clients_get_no_error_and_read_what_was_written(tmp_path: Path) -> None:
    load = besiege(tmp_path, SECONDS, seed=1)
    assert not load.faults, "\n".join(load.faults[:20])
    assert load.times.keys() == KINDS
    assert load.edited
    assert load.uploaded
    assert min(load.memory_mb) > 0
    heads, *rows, memory = load.report().splitlines()
    assert heads.split() == ["request", "number", "p50/ms", "p99/ms"]
    assert [float(row.split()[-2]) <= float(row.split()[-1]) for row in rows] == [True] * len(KINDS)
    assert memory.startswith("memory ")


def test_a_leak_is_told_from_caches_that_fill() -> None:
    filling = [100.0 + 20 * min(second, 10) for second in range(100)]
    assert growth(filling) == 1.0
    assert growth([300.0 + second for second in range(100)]) > GROWTH_LIMIT
    assert growth([300.0]) == 1.0
