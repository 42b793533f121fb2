"""At least two hundred kills in every run of the tests; `python -m tests.crash.soak` for thousands."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.crash.siege import Siege

KILLS = 200


@pytest.mark.crash
async def test_every_promise_survives_kills_of_every_process(tmp_path: Path) -> None:
    seed = int(os.environ.get("ARMILLARY_TEST_SEED") or random.SystemRandom().randrange(2**31))
    siege = Siege(tmp_path, KILLS, seed)
    broken = await siege.run()
    assert not broken, f"seed {seed}:\n" + "\n".join(broken[:40])
    assert siege.killed.total() >= KILLS
    assert len(siege.killed) >= 6, siege.killed
