"""Everything dies at once, with default settings: nothing is lost, and nothing waits for leases of the dead."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.crash.outages import Outages
from tests.crash.siege import Siege
from tests.crash.tree import DEFAULTS

OUTAGES = 4


@pytest.mark.crash
async def test_edits_under_way_in_a_power_failure_land_before_their_leases_end(tmp_path: Path) -> None:
    seed = int(os.environ.get("ARMILLARY_TEST_SEED") or random.SystemRandom().randrange(2**31))
    siege, outages = Siege(tmp_path, OUTAGES, seed, settings=DEFAULTS), Outages(OUTAGES)
    broken = await siege.run_with(outages)
    print("\n".join(outages.landings))
    assert not broken, f"seed {seed}:\n" + "\n".join(broken[:40])
    assert not outages.late, outages.late
