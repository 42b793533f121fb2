"""Orders of a worker that died are taken over at once, those of one that only lost its session are not."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from armillary.base.work import Claim, State, attendance, statements
from armillary.base.work.attendance import Attendance
from armillary.base.work.presence import Presence
from tests.support.orders import a_ledger, a_worker, an_order, claim_one, ends, queue, row
from tests.support.postgres import AContext
from tests.support.victims import LEASE_S, a_victim, abandon, begun

PATIENCE_S = 60.0
END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'"
LEFT = "SELECT extract(epoch FROM lease_until - now())::float8 FROM work_order WHERE id = $1"


def attendance_of(context: AContext) -> Attendance:
    return Attendance(context.database, context.settings.data, "somebody")


async def complete(_context: AContext, _claims: Sequence[Claim]) -> None:
    return None


async def fetch(context: AContext, query: str, *values: object) -> list[Any]:
    async with context.database.raw() as connection:
        return list(await connection.fetch(query, *values))


async def until_gone(context: AContext, owner: str, *, gone: bool = True) -> None:
    """Wait for the end, or the begin, of the session in which an owner claims."""
    async with asyncio.timeout(PATIENCE_S):
        while bool(await fetch(context, statements.GONE, [owner])) != gone:  # noqa: ASYNC110 (of another process)
            await asyncio.sleep(0.01)


async def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    await asyncio.to_thread(process.wait)


async def test_an_order_of_a_dead_process_does_not_wait_for_its_lease(context: AContext) -> None:
    (order,) = await queue(context.database, an_order())
    with a_victim(context) as victim:
        assert await asyncio.to_thread(begun, victim) == order
        held = await row(context.database, order)
        await kill(victim)
        await until_gone(context, held.lease_owner)
        ((left_s,),) = await fetch(context, LEFT, order)
        assert left_s > LEASE_S / 2
        # One that works until nothing is due any more must not overlook it either.
        await a_worker(context, complete).drain()
    found = await row(context.database, order)
    assert (found.state, found.attempts) == (State.COMPLETED, 1)


async def test_a_waiting_worker_notices_the_death_of_another(context: AContext) -> None:
    (order,) = await queue(context.database, an_order())
    with a_victim(context) as victim:
        assert await asyncio.to_thread(begun, victim) == order
        helper = a_worker(context, complete)
        helping = asyncio.create_task(helper.run_until([order]))
        # Its first look, at which everybody was alive, comes before.
        await until_gone(context, helper.owner, gone=False)
        await kill(victim)
        async with asyncio.timeout(PATIENCE_S):
            await helping
    assert (await ends(context.database, [order]))[order].state is State.COMPLETED


async def test_who_lost_its_session_keeps_its_orders_while_it_lives(
    context: AContext,
) -> None:
    (order,) = await queue(context.database, an_order())
    others = attendance_of(context)
    with a_victim(context) as victim:
        await asyncio.to_thread(begun, victim)
        owner = (await row(context.database, order)).lease_owner
        for number in (signal.SIGCONT, signal.SIGSTOP):
            # It lives whether it runs or is paused, and whatever it does about its connections.
            victim.send_signal(number)
            await fetch(context, END_SESSIONS)
            await others.look()
            assert others.missing == set()
        await until_gone(context, owner)
        await others.look()
        assert others.missing == set()
        await a_worker(context, complete).drain()
        assert (await row(context.database, order)).lease_owner == owner
        await kill(victim)
        await others.look()
        assert others.missing == {owner}


@contextlib.asynccontextmanager
async def an_owner(context: AContext, owner: str) -> AsyncIterator[tuple[Presence, int]]:
    """Have an order claimed in a session that lives; yield the lock file, not yet taken."""
    (order,) = await queue(context.database, an_order())
    ledger, one = a_ledger(context, owner), Presence(context.settings.data, owner)
    await claim_one(ledger)
    try:
        yield one, order
    finally:
        await ledger.close()
        one.leave()


async def test_who_has_a_session_is_not_missing_even_if_its_lock_is_free(context: AContext) -> None:
    others = attendance_of(context)
    async with an_owner(context, "awake-1-ab") as (one, _):
        one.take()
        abandon(one)
        await others.look()
        assert others.missing == set()
        assert one.file.exists()
    await until_gone(context, "awake-1-ab")
    await others.look()
    assert others.missing == {"awake-1-ab"}


async def test_who_shows_no_lock_has_a_lease(context: AContext) -> None:
    others = attendance_of(context)
    async with an_owner(context, "elsewhere-1-ab"):
        pass
    await until_gone(context, "elsewhere-1-ab")
    await others.look()
    assert others.missing == set()


async def test_the_file_of_a_dead_worker_goes_with_its_last_order(context: AContext) -> None:
    others = attendance_of(context)
    async with an_owner(context, "dead-1-ab") as (one, _):
        one.take()
        abandon(one)
    await until_gone(context, "dead-1-ab")
    await others.look()
    assert one.file.exists()
    await a_worker(context, complete).drain()
    await others.look()
    assert (others.missing, one.file.exists()) == (set(), False)


async def test_a_worker_that_ends_well_leaves_no_file(context: AContext) -> None:
    await queue(context.database, *map(an_order, range(5)))
    seen: list[int] = []

    async def handler(_context: AContext, _claims: Sequence[Claim]) -> None:
        seen.append(len(list((context.settings.data / "private" / "workers").iterdir())))

    await a_worker(context, handler).drain()
    assert set(seen) == {1}
    assert list((context.settings.data / "private" / "workers").iterdir()) == []


async def test_a_worker_that_was_interrupted_is_present_until_its_process_ends(context: AContext) -> None:
    (order,) = await queue(context.database, an_order())
    begun = asyncio.Event()

    async def hang(_context: AContext, _claims: Sequence[Claim]) -> None:
        begun.set()
        await asyncio.Event().wait()

    one = a_worker(context, hang)
    running = asyncio.create_task(one.run_until([order]))
    await begun.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await until_gone(context, one.owner)
    others = attendance_of(context)
    await others.look()
    assert others.missing == set()
    abandon(one.attendance.ours)
    await others.look()
    assert others.missing == {one.owner}


async def test_a_worker_without_a_lock_works_all_the_same(context: AContext, tmp_path: Path) -> None:
    (context.settings.data / "private").write_text("no directory")
    ids = await queue(context.database, *map(an_order, range(5)))
    await a_worker(context, complete).drain()
    assert {one.state for one in (await ends(context.database, ids)).values()} == {State.COMPLETED}


async def test_everything_that_the_dead_hold_is_taken_over_at_once(context: AContext) -> None:
    await queue(context.database, *map(an_order, range(2 * statements.SWEPT + 1)))
    dead, heir = a_ledger(context, "dead"), a_ledger(context, "heir")
    try:
        await dead.exchange((), ["work"], 3 * statements.SWEPT, {})
        assert await heir.sweep({"somebody else"}) == 0
        assert await heir.sweep({"dead"}) == 2 * statements.SWEPT + 1
    finally:
        await dead.close()
        await heir.close()


async def a_death(context: AContext, columns: str, *, known: bool = True) -> Any:
    """Let a worker die in the last attempt of an order, known to be dead or not; return how the order stands."""
    (order,) = await queue(context.database, an_order(max_attempts=3))
    dead, heir = a_ledger(context, "dead"), a_ledger(context, "heir")
    try:
        await claim_one(dead)
        async with context.database.raw() as connection:
            await connection.execute(f"UPDATE work_order SET attempts = 3, {columns} WHERE id = $1", order)
        assert await heir.sweep({"dead"} if known else ()) == 1
    finally:
        await dead.close()
        await heir.close()
    return await row(context.database, order)


async def test_the_death_of_a_worker_costs_its_orders_no_attempt(context: AContext) -> None:
    found = await a_death(context, "fence = 12")
    assert (found.state, found.attempts) == (State.QUEUED, 2)
    assert "stopped during attempt 3" in found.error


async def test_an_order_that_kills_its_worker_again_and_again_fails_at_last(context: AContext) -> None:
    found = await a_death(context, "fence = 13")
    assert (found.state, found.attempts) == (State.FAILED, 3)
    assert "stopped during attempt 3" in found.error


async def test_a_lease_that_ends_costs_an_attempt(context: AContext) -> None:
    found = await a_death(context, "lease_until = now() - interval '1 s'", known=False)
    assert (found.state, found.attempts) == (State.FAILED, 3)


def test_dead_workers_are_looked_for_at_least_every_second() -> None:
    assert attendance.LOOK_S <= 1.0
