"""Every header of a night of a thousand exposures as if nobody had been killed; more kills in `make soak`.

The same samples go to two archives, of which one is left alone. In the end both have the same headers, and
consumers that come then are given each of them once and in order.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

from tests.crash.header_judgement import besiege
from tests.crash.observing import EXPOSURES, nights_of

KILLS, BETWEEN, NIGHT = 100, 60, 20261130


@pytest.mark.crash
async def test_no_kill_loses_or_changes_a_header(tmp_path: Path) -> None:
    seed = int(os.environ.get("ARMILLARY_TEST_SEED") or random.SystemRandom().randrange(2**31))
    storm, broken = await besiege(tmp_path, nights_of(EXPOSURES, NIGHT), kills=KILLS, seed=seed)
    sys.stdout.write(f"seed {seed}; {storm.told()}\n")
    assert not broken, f"seed {seed}:\n" + "\n".join(broken[:40])
    assert storm.killed.total() >= KILLS
    assert storm.between >= BETWEEN
