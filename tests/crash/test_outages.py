"""Everything dies at once, with default settings: nothing is lost, and nothing waits for leases of the dead."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.crash.outages import LAND_S, Outages
from tests.crash.siege import Siege
from tests.crash.tree import DEFAULTS, Tree
from tests.support.kills import family

OUTAGES = 3


def test_an_outage_leaves_no_process(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "data", settings=DEFAULTS)
    # Its name begins alike, and it is somebody else's.
    other = Tree(tmp_path / "data.other", settings=DEFAULTS)
    try:
        tree.start()
        other.start()
        for kind in ("up", "serve", "worker", "supervisor", "postmaster"):
            assert tree.one(kind), kind
        # Web, workers, supervisor and postmaster lead sessions of their own, and so does each of PostgreSQL's.
        assert sum(process.session == process.pid for process in tree.members()) > 5
        assert tree.fail() > 5
        assert family(set(), tree.data) == []
        assert other.one("up")
    finally:
        tree.clear()
        other.clear()


@pytest.mark.crash
async def test_edits_under_way_in_an_outage_land_before_their_leases_end(tmp_path: Path) -> None:
    seed = int(os.environ.get("ARMILLARY_TEST_SEED") or random.SystemRandom().randrange(2**31))
    siege, outages = Siege(tmp_path, OUTAGES, seed, settings=DEFAULTS), Outages(OUTAGES)
    broken = await siege.run_with(outages)
    print("\n".join(outages.landings))
    assert not broken, f"seed {seed}:\n" + "\n".join(broken[:40])
    assert not outages.late, outages.late
    assert len(outages.landings) == OUTAGES
    # Leases last a minute. Other processes may hold up one start, but hardly three.
    assert min(outages.beyond_s) < LAND_S, outages.beyond_s
