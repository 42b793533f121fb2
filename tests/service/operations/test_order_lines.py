"""What happens to an order is logged with its id, kind, file and attempt."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from armillary.base.log import get_logger
from armillary.base.log import merge_bound as _merge
from armillary.base.work import Claim, Kind, NewOrder, Worker, submit
from armillary.context import Context
from armillary.errors import Unavailable
from tests.support.archive import Archive, put

log = get_logger(__name__)


@pytest.fixture(autouse=True)
def _all_events_are_wanted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


async def run(archive: Archive, kind: Kind[Context], count: int = 1, *, attempts: int = 2) -> list[int]:
    """Submit orders of a kind and run them."""
    orders = [
        NewOrder(kind=kind.name, args={"name": f"n{n}.fits"}, max_attempts=attempts) for n in range(count)
    ]
    async with archive.context.database.begin() as connection:
        ids = await submit(connection, orders, keyed_fifo=False)
    await Worker(archive.context, [kind], name="test").run_until(ids)
    return ids


async def test_events_of_a_handler_name_the_order_its_file_and_the_attempt(archive: Archive) -> None:
    async def handler(context: Context, claims: Sequence[Claim]) -> None:
        log.info("working")

    with capture_logs(processors=[_merge]) as lines:
        (order,) = await run(archive, Kind("echo", handler))
    (line,) = [one for one in lines if one["event"] == "working"]
    fields = {name: line[name] for name in ("order", "kind", "file", "attempt")}
    assert fields == {"order": order, "kind": "echo", "file": "n0.fits", "attempt": 1}
    (ended,) = [one for one in lines if one["event"] == "order ended"]
    assert ended["order"] == order


async def test_attempts_that_fail_are_warnings_with_their_reason(archive: Archive) -> None:
    async def handler(context: Context, claims: Sequence[Claim]) -> None:
        raise Unavailable("the tape robot sleeps")

    with capture_logs() as lines:
        (order,) = await run(archive, Kind("echo", handler))
    told = [one for one in lines if one["log_level"] == "warning"]
    assert [(one["event"], one["attempt"]) for one in told] == [
        ("order is tried again", 1),
        ("order failed", 2),
    ]
    assert {(one["order"], one["kind"], one["file"], one["error"]) for one in told} == {
        (order, "echo", "n0.fits", "the tape robot sleeps")
    }


async def test_events_of_a_batch_say_how_many_it_is(archive: Archive) -> None:
    async def handler(context: Context, claims: Sequence[Claim]) -> None:
        log.info("working")

    with capture_logs(processors=[_merge]) as lines:
        await run(archive, Kind("echo", handler, batch=3), count=3)
    (line,) = [one for one in lines if one["event"] == "working"]
    assert (line["kind"], line["together"]) == ("echo", 3)
    assert len([one for one in lines if one["event"] == "order ended"]) == 3


async def test_an_edit_is_logged_with_its_file(archive: Archive) -> None:
    put(archive.directory / "night" / "n1.fits")
    await archive.ingest(archive.directory / "night")
    with capture_logs() as lines:
        await archive.set("n1.fits", OBJECT="M 31")
    (ended,) = [one for one in lines if one["event"] == "order ended" and one["kind"] == "update_headers"]
    assert (ended["file"], ended["attempt"]) == ("n1.fits", 1)
