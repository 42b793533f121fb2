"""Any number of workers: one file is edited in the order of acceptance, by one of them at a time."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from astropy.io import fits

from armillary.archive.intake import bulk
from armillary.base.database import Database, Role
from armillary.base.work import wait_for
from armillary.context import Context, open_context
from armillary.settings import Settings
from tests.crash.clients import Promises
from tests.crash.judgement import judge, rows
from tests.crash.night import Night, frame_bytes
from tests.crash.tree import QUICK
from tests.support.archive import ORIGIN
from tests.support.edits import accept_one
from tests.support.kills import wait_gone
from tests.support.nursery import Nursery
from tests.support.premade import prepare

UPDATES = 200
PATIENCE_S = 900.0
WATCH = """
CREATE TABLE seen (at bigint GENERATED ALWAYS AS IDENTITY, key text, id bigint, leader_id bigint, state text);
CREATE FUNCTION note_state() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> OLD.state THEN
        INSERT INTO seen (key, id, leader_id, state) VALUES (NEW.key, NEW.id, NEW.leader_id, NEW.state);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER note_state AFTER UPDATE ON work_order FOR EACH ROW EXECUTE FUNCTION note_state();
GRANT SELECT ON seen TO armillary_worker;
"""


@asynccontextmanager
async def two_workers(directory: Path) -> AsyncIterator[tuple[Context, Night, list[int]]]:
    """Run two real workers on a directory with one plain and one other file."""
    work = {
        key.removeprefix("ARMILLARY_WORK__").lower(): value for key, value in QUICK.items() if "WORK" in key
    }
    account = {"account": QUICK["ARMILLARY_DATABASE__ACCOUNT"]}
    settings = Settings.model_validate(
        {"data": prepare(directory / "data"), "work": work, "database": account}
    )
    night = Night(
        directory / "night", directory / "night", {"a.fits": frame_bytes(1), "b.fits": frame_bytes(2)}
    )
    night.private.mkdir()
    for name, content in night.contents.items():
        (night.private / name).write_bytes(content)
    async with open_context(settings, Role.WORKER) as context:
        owner = await Database.connect(context.database.source, Role.OWNER, pool_size=1)
        async with owner.raw() as connection:
            await connection.execute(WATCH)
        await owner.close()
        nursery = Nursery(settings.data, QUICK)
        try:
            pids = [nursery.spawn(f"worker-{number}") for number in range(2)]
            run = await bulk.submit_paths(context, [night.private], copy=False, force=False, in_place=True)
            await wait_for(context.database, context.signals, list(run.orders), PATIENCE_S)
            yield context, night, pids
        finally:
            nursery.close()


async def update(context: Context, number: int, name: str) -> int:
    generic = [["SOAK0", number], ["HISTORY", f"order {number}"]]
    return (await accept_one(context, {"generic": generic}, name, ORIGIN)).order_ids[0]


async def sleep(pid: int) -> None:
    """Stop a worker for longer than its leases last: the other one takes over what it holds."""
    os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(2.5)
    os.kill(pid, signal.SIGCONT)


async def settle(context: Context) -> None:
    left = await rows(context, "SELECT id FROM work_order WHERE state IN ('Queued', 'Started')")
    await wait_for(context.database, context.signals, [row["id"] for row in left], PATIENCE_S)


async def assert_never_together(context: Context) -> None:
    holders: dict[str, set[int]] = {}
    for row in await rows(context, "SELECT key, id, leader_id, state FROM seen ORDER BY at"):
        held = holders.setdefault(row["key"], set())
        if row["state"] == "Started":
            leader = row["leader_id"] or row["id"]
            assert all(other == leader for other in held), f"{row['key']}: {held} beside {leader}"
            held.add(leader)
        else:
            held.discard(row["id"])


@pytest.mark.crash
async def test_two_hundred_updates_end_in_the_order_of_acceptance(tmp_path: Path) -> None:
    async with two_workers(tmp_path) as (context, night, _):
        # Others that wait may be done by one run; the first one is done by another.
        orders = [await update(context, 0, "a.fits")]
        await wait_for(context.database, context.signals, orders, PATIENCE_S)
        orders += [await update(context, number, "a.fits") for number in range(1, UPDATES)]
        ended = await wait_for(context.database, context.signals, orders, PATIENCE_S)
        assert len(ended) == UPDATES
        assert all(one.response.ok for one in ended.values())
        with fits.open(night.private / "a.fits", checksum=True) as hdus:
            assert hdus[0].header["SOAK0"] == UPDATES - 1
            assert list(hdus[0].header["HISTORY"]) == [f"order {number}" for number in range(UPDATES)]
        await assert_never_together(context)
        owners = await rows(context, "SELECT count(DISTINCT version_after) FROM edit")
        assert owners[0][0] > 1


@pytest.mark.crash
async def test_a_worker_that_wakes_late_overwrites_nothing(tmp_path: Path) -> None:
    async with two_workers(tmp_path) as (context, night, pids):
        promises, orders, sleeping = Promises(), [], []
        for number in range(60):
            orders.append(await update(context, number, ("a.fits", "b.fits")[number % 2]))
            if number in (15, 40):
                sleeping.append(asyncio.create_task(sleep(pids[number % 2])))
            await asyncio.sleep(0.1)
        ended = await wait_for(context.database, context.signals, orders, PATIENCE_S)
        assert len(ended) == len(orders)
        await settle(context)
        await asyncio.gather(*sleeping)
        # Whoever wakes late tidies up; nothing of it is in question once the workers have ended.
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        await asyncio.to_thread(wait_gone, set(pids))
        broken = await judge(context, night, promises)
        assert not broken, "\n".join(broken)
        await assert_never_together(context)
