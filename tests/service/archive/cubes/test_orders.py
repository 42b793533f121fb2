"""The states of an order that takes a cube in, row by row, and what merges into it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from armillary.archive.cubes import service as cubes
from armillary.archive.cubes.run import ingest_cube
from armillary.base.work import LostLease, Retry, State
from armillary.demo.solar import SolarCube
from tests.support.ingestion import TINY, Observatory, steps_of
from tests.support.interruptions import expire
from tests.support.taking_in import (
    ask,
    cancelled,
    catalogue,
    claim,
    delaying,
    latest,
    options_of,
    rows,
    run_one,
)

CUBE = SolarCube(**TINY)
OTHER = replace(CUBE, filter="6173")
SLOW = Retry(first_s=60.0, last_s=600.0, max_attempts=4)
OWNER = "observer@example.org"


def broken(observatory: Observatory) -> Path:
    """Put a cube without a keyword that it needs, and return its path."""
    return observatory.put(replace(CUBE, without=frozenset({"FILTER1"})))


async def test_a_first_order_is_queued_with_revision_one(observatory: Observatory) -> None:
    run = await latest(observatory, await ask(observatory, observatory.put(CUBE)))
    assert (run.view.state, run.view.attempts, run.revision, run.fence) == (State.QUEUED, 0, 1, 0)
    assert run.requested == run.updated == run.view.not_before


async def test_an_order_that_waits_takes_another_over(observatory: Observatory) -> None:
    path = observatory.put(CUBE)
    first = await ask(observatory, path, owner_email_addresses=[OWNER], make_images=False, force=True)
    before = await latest(observatory, first)
    again = await ask(observatory, path, make_images=True, groups=[])
    run = await latest(observatory, again)
    assert again == first
    assert (run.view.state, run.revision, run.requested) == (State.QUEUED, 2, before.requested)
    assert run.updated > before.updated
    assert options_of(run) == {
        "owner_email_addresses": [OWNER],
        "groups": [],
        "make_images": True,
        "force": True,
    }


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        ({"oid": "a"}, {"oid": "b"}, {"oid": "b"}),
        ({"oid": "a"}, {}, {"oid": "a"}),
        ({"oid": "a"}, {"oid": None}, {"oid": "a"}),
        ({"groups": ["g"]}, {"groups": []}, {"groups": []}),
        ({"groups": []}, {"groups": None}, {"groups": []}),
        (
            {"groups": []},
            {"owner_email_addresses": [OWNER]},
            {"groups": [], "owner_email_addresses": [OWNER]},
        ),
        ({"submit_svo": False}, {"submit_svo": True}, {"submit_svo": True}),
        ({"submit_svo": True}, {"submit_svo": False}, {"submit_svo": False}),
        ({"force": True}, {"force": False}, {"force": True}),
        ({}, {"force": True}, {"force": True}),
        ({"verify": True}, {}, {"verify": True}),
        ({"swedish_data": False}, {"swedish_data": None}, {"swedish_data": False}),
    ],
)
async def test_what_is_said_later_wins_and_what_is_not_said_stays(
    observatory: Observatory, first: dict[str, Any], second: dict[str, Any], both: dict[str, Any]
) -> None:
    path = observatory.put(CUBE)
    await ask(observatory, path, **first)
    assert options_of(await latest(observatory, await ask(observatory, path, **second))) == both


async def test_whatever_is_asked_during_a_run_is_one_more_run(observatory: Observatory) -> None:
    path = observatory.put(CUBE)
    submitted = await ask(observatory, path, make_images=False)

    async def thrice() -> None:
        for groups in (["a"], ["b"], []):
            await ask(observatory, path, groups=groups)
        run = await latest(observatory, submitted)
        assert (run.view.id, run.view.state, run.revision) == (submitted.order, State.STARTED, 4)
        assert options_of(run) == {"make_images": False}

    assert await run_one(observatory, midway=thrice)
    assert (await observatory.order(submitted.order)).state is State.COMPLETED
    waiting = await latest(observatory, submitted)
    assert (waiting.view.state, waiting.view.attempts, waiting.revision) == (State.QUEUED, 0, 4)
    assert options_of(waiting) == {"groups": []}
    assert await run_one(observatory)
    assert (await latest(observatory, submitted)).view.state is State.COMPLETED
    assert not await run_one(observatory)


async def test_force_that_comes_during_a_run_belongs_to_the_next(observatory: Observatory) -> None:
    path = observatory.put(CUBE)
    await observatory.take_in(path)
    submitted = await ask(observatory, path)
    assert await run_one(observatory, before=lambda: ask(observatory, path, force=True))
    assert steps_of(await observatory.order(submitted.order))["product"] == ["skipped: unchanged"]
    assert await run_one(observatory)
    forced = await latest(observatory, submitted)
    assert options_of(forced) == {"force": True}
    assert set(steps_of(forced.view)["header"]) == {"done"}
    assert steps_of(await observatory.take_in(path))["product"] == ["skipped: unchanged"]


async def test_a_force_that_waits_survives_that_the_run_before_it_fails(observatory: Observatory) -> None:
    path = broken(observatory)
    submitted = await ask(observatory, path, groups=["g"])
    assert await run_one(observatory, before=lambda: ask(observatory, path, force=True))
    observatory.put(CUBE)
    assert await run_one(observatory)
    assert options_of(await latest(observatory, submitted)) == {"groups": ["g"], "force": True}


async def test_options_are_used_up_by_a_run_that_completes(observatory: Observatory) -> None:
    path = observatory.put(CUBE)
    submitted = await ask(observatory, path, groups=["g"], force=True)
    assert await run_one(observatory)
    done = await latest(observatory, submitted)
    again = await ask(observatory, path)
    run = await latest(observatory, again)
    assert again.number == submitted.number
    assert (run.view.state, run.view.attempts, run.revision) == (State.QUEUED, 0, 2)
    assert options_of(run) == {}
    assert run.requested > done.requested


async def test_options_of_a_run_that_failed_are_kept(observatory: Observatory) -> None:
    path = broken(observatory)
    failed = await observatory.take_in(path, groups=["g"], make_images=False)
    assert (failed.state, failed.error_code) == (State.FAILED, "cube_refused")
    submitted = await ask(observatory, path, make_images=True)
    run = await latest(observatory, submitted)
    assert (run.view.state, run.view.attempts, run.view.error, run.revision) == (State.QUEUED, 0, None, 2)
    observatory.put(CUBE)
    assert await run_one(observatory)
    run = await latest(observatory, submitted)
    assert (run.view.state, options_of(run)) == (State.COMPLETED, {"groups": ["g"], "make_images": True})


async def test_options_outlive_an_order_that_is_cancelled_before_it_has_run(observatory: Observatory) -> None:
    path = broken(observatory)
    await observatory.take_in(path, groups=["g"], submit_svo=True)
    waiting = await ask(observatory, path, make_images=False, submit_svo=False)
    assert await cancelled(observatory, waiting.order) == State.FAILED
    observatory.put(CUBE)
    submitted = await ask(observatory, path)
    assert await run_one(observatory)
    expected = {"groups": ["g"], "make_images": False, "submit_svo": False}
    assert options_of(await latest(observatory, submitted)) == expected


async def test_retrying_orders_once_more_with_the_options_that_are_left(observatory: Observatory) -> None:
    path = broken(observatory)
    failed = await ask(observatory, path, groups=["g"])
    assert await run_one(observatory)
    observatory.put(CUBE)
    found = await cubes.ingestion(observatory.context, failed.number)
    assert found is not None
    await cubes.again(observatory.context, found, actor="somebody")
    assert await run_one(observatory)
    run = await latest(observatory, failed)
    assert (run.view.state, run.view.actor, options_of(run)) == (
        State.COMPLETED,
        "somebody",
        {"groups": ["g"]},
    )


async def test_orders_are_claimed_by_priority_and_then_by_their_age(observatory: Observatory) -> None:
    paths = [observatory.put(replace(CUBE, filter=one)) for one in ("6302", "6173", "5896")]
    asked = [
        await ask(observatory, path, priority=priority)
        for path, priority in zip(paths, (0, 0, 5), strict=True)
    ]
    begun = [(await claim(observatory)).order.id for _ in paths]
    assert begun == [asked[2].order, asked[0].order, asked[1].order]


async def test_a_claim_counts_an_attempt_and_raises_the_fence(observatory: Observatory) -> None:
    submitted = await ask(observatory, observatory.put(CUBE))
    claimed = await claim(observatory)
    run = await latest(observatory, submitted)
    assert (run.view.state, run.view.attempts, run.fence, run.view.revision) == (State.STARTED, 1, 1, 1)
    assert run.lease_until is not None
    assert run.view.lease_owner is not None
    assert (claimed.order.id, claimed.order.fence) == (submitted.order, 1)


async def test_a_permanent_error_fails_at_once_and_leaves_the_catalogue_alone(
    observatory: Observatory,
) -> None:
    path = observatory.put(CUBE)
    await observatory.take_in(path)
    before = await catalogue(observatory)
    broken(observatory)
    order = await observatory.take_in(path)
    assert (order.state, order.attempts, order.step) == (State.FAILED, 1, "read")
    assert order.error is not None
    assert "FILTER1" in order.error
    assert steps_of(order) == {"read": [f"failed: {order.error}"]}
    assert await catalogue(observatory) == before


async def test_an_order_that_failed_keeps_no_other_from_running(observatory: Observatory) -> None:
    await ask(observatory, broken(observatory), priority=5)
    second = await ask(observatory, observatory.put(OTHER))
    assert [await run_one(observatory) for _ in range(3)] == [True, True, False]
    assert (await observatory.order(second.order)).state is State.COMPLETED


async def test_a_passing_error_is_tried_again_later_and_ever_more_rarely(observatory: Observatory) -> None:
    path = observatory.put(CUBE)
    submitted = await ask(observatory, path, groups=["g"])

    async def fails() -> None:
        raise TimeoutError("the database did not answer")

    waits = []
    for attempt in range(1, SLOW.max_attempts or 0):
        assert await run_one(observatory, midway=fails, retry=SLOW)
        run = await latest(observatory, submitted)
        assert (run.view.state, run.view.attempts) == (State.QUEUED, attempt)
        assert run.view.started is not None
        waits.append((run.view.not_before - run.view.started).total_seconds())
        assert not await run_one(observatory)
        await rows(observatory, "UPDATE work_order SET not_before = now() RETURNING id")
    assert waits == sorted(waits)
    assert await run_one(observatory, midway=fails, retry=SLOW)
    failed = await observatory.order(submitted.order)
    assert (failed.state, failed.attempts) == (State.FAILED, len(waits) + 1)
    assert await observatory.cube(CUBE.oid) is None
    again = await ask(observatory, path)
    assert await run_one(observatory)
    run = await latest(observatory, again)
    assert (run.view.state, run.view.attempts, options_of(run)) == (State.COMPLETED, 1, {"groups": ["g"]})


async def test_a_late_worker_changes_nothing(observatory: Observatory) -> None:
    submitted = await ask(observatory, observatory.put(CUBE))
    late = await claim(observatory, "late")

    async def is_overtaken() -> None:
        await expire(observatory)
        await observatory.run([submitted.order])

    before: dict[str, Any] = {}

    async def midway() -> None:
        await is_overtaken()
        before.update(await catalogue(observatory))

    late.completing = delaying(late.completing, midway)  # type: ignore[method-assign]
    with pytest.raises(LostLease):
        await ingest_cube(observatory.context, [late])
    assert await catalogue(observatory) == before
    done = await observatory.order(submitted.order)
    assert (done.state, len(before["cube"])) == (State.COMPLETED, 1)
    assert (await latest(observatory, submitted)).fence == 2


async def test_an_order_whose_worker_is_gone_waits_again(observatory: Observatory) -> None:
    submitted = await ask(observatory, observatory.put(CUBE))
    await claim(observatory)
    await expire(observatory)
    await observatory.run([submitted.order])
    run = await latest(observatory, submitted)
    assert (run.view.state, run.fence) == (State.COMPLETED, 2)


async def test_an_order_that_waits_is_cancelled_at_once(observatory: Observatory) -> None:
    submitted = await ask(observatory, observatory.put(CUBE))
    assert await cancelled(observatory, submitted.order) == State.FAILED
    order = await observatory.order(submitted.order)
    assert (order.state, order.error_code) == (State.FAILED, "order_cancelled")
    assert not await run_one(observatory)


async def test_an_order_that_runs_is_cancelled_before_its_next_step(observatory: Observatory) -> None:
    submitted = await ask(observatory, observatory.put(CUBE))
    assert await run_one(observatory, midway=lambda: cancelled(observatory, submitted.order))
    order = await observatory.order(submitted.order)
    assert (order.state, order.error_code) == (State.FAILED, "order_cancelled")
    assert steps_of(order) == {"read": ["done"]}
    assert await observatory.cube(CUBE.oid) is None


async def test_many_who_ask_at_once_have_one_order(observatory: Observatory) -> None:
    path = observatory.put(CUBE)
    asked = await asyncio.gather(*(ask(observatory, path, groups=[str(one)]) for one in range(20)))
    assert len(set(asked)) == 1
    assert (await latest(observatory, asked[0])).revision == 20
