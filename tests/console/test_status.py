"""The status: for everybody whether it works, for administrators all else; what to do in words; curves."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from armillary.api.http.carriers import SESSION
from armillary.console.charts import HEIGHT, WIDTH, chart
from armillary.operations.advice import Weight, advice_on
from armillary.operations.models import Disk, OldOrder, WorkerLine
from armillary.operations.sampling import take_sample
from armillary.operations.status import status_of
from tests.support.archive import Archive
from tests.support.rights import a_key

HOSTILE = "<img src=x onerror=alert(1)>\u202e"
SAMPLES = """
INSERT INTO status_sample
SELECT now() - n * interval '1 minute', 2, n, 1, 0, 4, 60 * n, 1000000, 10000 - 5 * n,
    '{"store": [7000000000, 9000000000], "private": [7000000000, 9000000000], "other": [1, 2]}'
FROM generate_series(1, 30) AS n
"""
FAILED = """
INSERT INTO work_order (kind, args, state, error, finished, expires, attempts)
VALUES ('nobody''s', '{}', 'Failed', $1, now(), now() + interval '1 day', 3)
"""


@pytest.fixture
async def admin(browser: httpx.AsyncClient, archive: Archive) -> httpx.AsyncClient:
    browser.cookies.set(SESSION, await a_key(archive, "head of data", "admin"))
    return browser


async def run(archive: Archive, statement: str, *values: Any) -> None:
    async with archive.context.database.begin() as connection:
        await connection.exec_driver_sql(statement, values)


async def test_strangers_are_told_whether_it_works(browser: httpx.AsyncClient, archive: Archive) -> None:
    await run(archive, FAILED, "a secret reason")
    await run(archive, SAMPLES)
    for scope in (None, "read", "edit"):
        if scope:
            browser.cookies.set(SESSION, await a_key(archive, scope, scope))
        reply = await browser.get("/status")
        assert reply.status_code == 200
        assert "degraded" in reply.text
        assert "No worker lives" in reply.text
        assert "edits are accepted" in reply.text
        for hidden in ("a secret reason", str(archive.directory), "Last failures", "<figure", "status.js"):
            assert hidden not in reply.text
        refused = await browser.get("/status/curves")
        assert refused.status_code == (403 if scope else 401)


async def test_administrators_see_what_fails_and_what_to_do(
    admin: httpx.AsyncClient, archive: Archive
) -> None:
    await run(archive, FAILED, HOSTILE)
    shown = (await admin.get("/status")).text
    assert "&lt;img src=x onerror=alert(1)&gt;⟨202E⟩" in shown
    assert HOSTILE not in shown
    assert "armillary up" in shown
    assert "armillary orders list --state Failed" in shown
    assert str(archive.context.stores.private) in shown
    part = (await admin.get("/status", headers={"HX-Request": "true"})).text
    assert "Last failures" in part
    assert "<html" not in part
    assert "<figure" not in part


async def test_curves_are_drawn_without_a_script(admin: httpx.AsyncClient, archive: Archive) -> None:
    assert "No sample has been taken" in (await admin.get("/status")).text
    await run(archive, SAMPLES)
    shown = (await admin.get("/status?hours=1")).text
    names = re.findall(r"<figcaption><b>([^<]*)</b>", shown)
    assert len(names) == len(re.findall(r"<figure", shown)) == 7
    assert "at most 30" in shown
    # What lies on one file system is one line.
    assert "store, private" in shown
    paths = re.findall(r'<path class="s\d" d="(M[^"]+)"', shown)
    assert len(paths) >= 7
    told = (await admin.get("/status/curves?hours=1")).json()
    assert [one["name"] for one in told["charts"]] == names
    assert {len(line["values"]) for one in told["charts"] for line in one["lines"]} == {len(told["at"])}
    assert told["begin"] < told["at"][0] < told["at"][-1] < told["end"]
    assert max(told["charts"][0]["lines"][0]["values"]) == 30
    assert (await admin.get("/status?hours=0")).status_code == 422


async def test_a_page_of_a_week_is_small(admin: httpx.AsyncClient, archive: Archive) -> None:
    await run(archive, SAMPLES.replace("generate_series(1, 30)", "generate_series(1, 10080)"))
    page = await admin.get("/status?hours=168")
    assert len(page.content) < 200_000


async def test_advice_tells_what_is_wrong_and_what_to_do(archive: Archive) -> None:
    await take_sample(archive.context)
    found = await status_of(archive.context)
    worker = WorkerLine("w", "worker-1", "here", 1, 4, 100.0, 1.0, 0, True)
    roomy = Disk("store", "/store", 50, 100)
    well = replace(found, workers=(worker,), disks=(roomy,))
    assert advice_on(well) == []
    nobody = advice_on(replace(well, workers=()))
    assert [(one.weight, one.command) for one in nobody] == [(Weight.BAD, "armillary up")]
    silent = advice_on(replace(well, workers=(replace(worker, seen_s=60.0),)))
    assert "no sign of life for 60 s" in silent[0].wrong
    tight = advice_on(
        replace(well, disks=(Disk("a", "/a", 9, 100), Disk("b", "/b", 2, 100), Disk("c", "/c", None, None)))
    )
    assert [(one.weight, one.wrong.split()[4]) for one in tight] == [(Weight.BAD, "b"), (Weight.WARN, "a")]
    behind = advice_on(replace(well, schema="0001"))
    assert behind[0].command == "armillary db upgrade"
    old = OldOrder(7, "ingest", "x.fits", "Queued", 3, "The disk is full.", 7200.0)
    waiting = advice_on(replace(well, oldest=old, failed=2))
    assert [one.command for one in waiting] == [
        "armillary orders show 7",
        "armillary orders list --state Failed",
    ]
    assert "2.0 h" in waiting[0].wrong
    claim = advice_on(replace(well, unclaimed=("nights",)))
    assert claim[0].command == "armillary root claim nights"


def test_a_curve_lies_between_its_edges_and_is_broken_where_samples_are_missing() -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    at = [begin + timedelta(minutes=minute) for minute in (0, 1, 2, 30, 31, 60)]
    values = [0, 5, 10, None, 10, 5]
    drawn = chart("x", "count", at, [("a", values)], begin=begin, end=at[-1], step_s=60.0)
    (line,) = drawn.lines
    assert (drawn.top, line.last, line.most) == (10.0, 5, 10)
    assert line.path.count("M") == 3
    points = [tuple(map(float, one.split())) for one in re.findall(r"[ML]([\d. ]+)", line.path)]
    assert points[0] == (0.0, HEIGHT)
    assert points[-1] == (WIDTH, HEIGHT / 2)
    assert min(y for _, y in points) == 0.0
    empty = chart("x", "count", [], [("a", [])], begin=begin, end=at[-1], step_s=60.0)
    assert (empty.lines[0].path, empty.lines[0].last) == ("", None)
