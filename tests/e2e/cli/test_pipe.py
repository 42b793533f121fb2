"""Queues by command: made, listed, looked into; dead letters seen and put back."""

from __future__ import annotations

import asyncio
from pathlib import Path

from armillary.base.database import Role
from armillary.context import open_context
from armillary.pipe.service import claims, machines, opened
from armillary.settings import DatabaseSettings, Settings
from tests.support.command import Commands
from tests.support.pipe import QUEUE, a_new, claimed, make
from tests.support.postgres import server_account
from tests.support.premade import prepare


async def fill(data: Path) -> None:
    """Put three items into the queue, let the first die, and let a machine tell its status."""
    settings = Settings(data=prepare(data), database=DatabaseSettings(account=server_account()))
    async with open_context(settings, Role.WORKER) as context, opened(context) as exchange:
        await make(context)
        for number in range(3):
            await exchange.enqueue(a_new({"request": "reduce", "number": number}))
        (claim,) = await claimed(context, worker="w1")
        async with context.database.begin() as connection:
            await claims.give_back(connection, claim.claim_id, delay_s=0, reason="no flat", dead=True)
            now = context.clock.now()
            await machines.tell(connection, "pipe1", status=b'"idle"', details=b"{}", now=now)


def test_queues_by_command(tmp_path: Path) -> None:
    commands = Commands(tmp_path / "data")
    asyncio.run(fill(tmp_path / "data"))
    commands.run("pipe", "create", "another")
    assert commands.run("pipe", "create", "another", code=1).err.startswith("error: Queue already exists")
    assert commands.run("pipe", "list").out.splitlines()[0].split()[:3] == ["another", "0", "waiting;"]
    assert commands.run("pipe", "show", "another").out == ""
    listed = commands.run("pipe", "list").out.splitlines()[1]
    assert listed.split()[:3] == [QUEUE, "2", "waiting,"]
    assert listed.rstrip().endswith("0 leased, 0 delayed, 1 dead")
    shown = commands.run("pipe", "show", QUEUE, "--json").json()
    assert [one["payload"]["number"] for one in shown] == [1, 2]
    dead = commands.run("pipe", "dead", QUEUE).out
    assert "1 attempts, the last by w1: no flat" in dead
    assert commands.run("pipe", "requeue", QUEUE, dead.split()[0]).out == "1 requeued\n"
    assert [one["payload"]["number"] for one in commands.run("pipe", "show", QUEUE, "--json").json()] == [
        0,
        1,
        2,
    ]
    _, state = commands.run("pipe", "list", "--json").json()
    assert (state["waiting"], state["dead"]) == (3, 0)
    assert commands.run("pipe", "machines").out.startswith("pipe1 ")
