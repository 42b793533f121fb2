"""The database dies again and again under requests: an answer of 200 holds, one of 503 queued nothing."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tests.crash.clients import Clients
from tests.crash.siege import Siege

DEATHS = 5


@pytest.mark.crash
async def test_requests_and_workers_outlive_the_death_of_the_database(tmp_path: Path) -> None:
    siege = Siege(tmp_path, DEATHS, random.SystemRandom().randrange(2**31))
    broken = await siege.run_with(_database_dies)
    assert not broken, f"seed {siege.seed}:\n" + "\n".join(broken[:40])
    assert siege.killed["postmaster"] == DEATHS


async def _database_dies(siege: Siege, clients: Clients) -> None:
    while siege.killed["postmaster"] < DEATHS:
        await asyncio.sleep(siege.chance.uniform(0.5, 1.5))
        siege.killed["postmaster"] += await siege.tree.kill_one("postmaster")
