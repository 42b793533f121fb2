"""The overview: latest frames, nights as bars, what runs; to each what the interface tells, and as text."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from armillary.api.http.carriers import SESSION
from armillary.archive.query.service import NightCount
from armillary.base.work import NewOrder, submit
from armillary.console.charts import night_bars
from armillary.console.overview import PARTS
from tests.support.archive import Archive, put
from tests.support.headers import a_file
from tests.support.recorded import record
from tests.support.rights import a_key

NIGHT = date(2026, 1, 1)
HOSTILE = "<script>alert(1)</script>"


def frames(*fields: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f"{number}.fits": {"night": NIGHT, **one} for number, one in enumerate(fields)}


async def part(browser: httpx.AsyncClient, target: str, query: str = "") -> str:
    """Return a part of the page as a script asks for it, which takes anything."""
    asked = {"Accept": "*/*", "HX-Request": "true", "HX-Target": target}
    reply = await browser.get(f"/{query}", headers=asked)
    assert reply.status_code == 200
    assert "HX-Target" in reply.headers["vary"]
    return reply.text


async def test_parts_are_those_of_the_page(browser: httpx.AsyncClient, archive: Archive) -> None:
    await record(archive, frames({"instrument": "GMOS-N"}))
    whole = (await browser.get("/")).text
    for target in PARTS:
        piece = await part(browser, target)
        assert "<html" not in piece
        assert piece.strip()
        assert f'id="{target}"' in whole
        # Figures may differ, which move while anybody looks.
        assert re.sub(r"\d+", "", piece.strip()[:80]) in re.sub(r"\d+", "", whole)


async def test_nights_are_bars_of_what_they_hold(browser: httpx.AsyncClient, archive: Archive) -> None:
    await record(
        archive,
        frames(
            *({"instrument": "GMOS-N", "observation_type": "BIAS"},) * 3,
            {"instrument": "NIRI", "observation_type": "OBJECT"},
            {"instrument": None, "night": NIGHT + timedelta(days=1)},
        ),
    )
    shown = await part(browser, "nights")
    assert re.findall(r'aria-label="([^"]*)"', shown) == ["unknown 1", "GMOS-N 3, NIRI 1"]
    assert re.findall(r'href="/frames\?night=([\d-]+)"', shown) == ["2026-01-02", "2026-01-01"]
    assert "5 frames in all that you may know of" in (await browser.get("/")).text
    types = await part(browser, "nights", "?by=observation_type")
    assert re.findall(r'aria-label="([^"]*)"', types) == ["unknown 1", "BIAS 3, OBJECT 1"]
    refused = await browser.get("/?by=program")
    assert refused.status_code == 422


async def test_nobody_sees_what_a_search_would_hide(browser: httpx.AsyncClient, archive: Archive) -> None:
    await record(archive, frames({"instrument": "GMOS-N"}, {"instrument": "Secret"}))
    async with archive.context.database.begin() as connection:
        await connection.exec_driver_sql("UPDATE frame SET visibility = 'hidden' WHERE instrument = 'Secret'")
    shown = (await browser.get("/")).text
    assert "GMOS-N 1" in shown
    assert "Secret" not in shown
    browser.cookies.set(SESSION, await a_key(archive, "reader", "read"))
    assert "Secret 1" in (await browser.get("/")).text


async def test_what_runs_is_listed_for_those_who_may_list_it(
    browser: httpx.AsyncClient, archive: Archive
) -> None:
    await archive.ingest(put(archive.directory / "a.fits"))
    await archive.drain()
    async with archive.context.database.begin() as connection:
        order = NewOrder(kind="nobody's", args={"name": f"{HOSTILE}.fits"})
        await submit(connection, [order], keyed_fifo=False)
        await connection.exec_driver_sql(
            "UPDATE work_order SET state = 'Started', lease_owner = 'w', lease_until = now() + interval '1 hour',"
            " started = now(), attempts = 1, fence = 1 WHERE state = 'Queued'"
        )
    shown = (await browser.get("/")).text
    assert re.search(r"<b>1</b> order under way", shown)
    assert "No worker lives" in shown
    assert "nobody&#39;s" not in shown
    assert " free</span>" not in shown
    for scope, sees in (("edit", False), ("admin", True)):
        browser.cookies.set(SESSION, await a_key(archive, scope, scope))
        shown = (await browser.get("/")).text
        assert ("nobody&#39;s" in shown) is sees
        assert (" free</span>" in shown) is sees
        assert HOSTILE not in shown
    assert "&lt;script&gt;alert(1)" in shown


async def test_change_sets_under_way_are_shown_to_editors(
    browser: httpx.AsyncClient, archive: Archive
) -> None:
    await archive.ingest(put(archive.directory / "a.fits", a_file()))
    async with archive.context.database.begin() as connection:
        for state in ("applying", "completed"):
            await connection.exec_driver_sql(
                "INSERT INTO change_set (id, actor, address, created, state, wanted, why)"
                " VALUES ((SELECT coalesce(max(id), 6) + 1 FROM change_set), 'head', '', now(), $1,"
                """ '{"values": {}, "selection": ["present"], "names": [], "keywords": []}', '')""",
                (state,),
            )
    assert "change set" not in (await browser.get("/")).text
    browser.cookies.set(SESSION, await a_key(archive, "editor", "edit"))
    shown = (await browser.get("/")).text
    assert re.findall(r'href="/changesets/(\d+)"', shown) == ["7"]


async def test_how_to_begin_is_unfolded_while_there_is_little(
    browser: httpx.AsyncClient, archive: Archive
) -> None:
    assert re.search(r'<details class="panel steps" open>', (await browser.get("/")).text)
    await record(archive, frames(*({},) * 100))
    assert re.search(r'<details class="panel steps">', (await browser.get("/")).text)


@pytest.mark.parametrize("instruments", [1, 6, 7, 12])
def test_bars_add_up_and_the_rarest_share_a_colour(instruments: int) -> None:
    counts = [NightCount(NIGHT, (f"i{n:02}",), 10 + n) for n in range(instruments)]
    bars = night_bars([*counts, NightCount(NIGHT - timedelta(days=1), ("i00",), 1)])
    first, second = bars.nights
    assert sum(one.frames for one in first.segments) == first.frames == sum(one.frames for one in counts)
    assert first.segments[-1].start + first.segments[-1].width == pytest.approx(1000, abs=0.1)
    assert second.segments[0].width == pytest.approx(1000 / first.frames, abs=0.01)
    assert len(bars.legend) == min(instruments, 7)
    assert (bars.legend[-1] == ("others", 7)) is (instruments > 6)
    assert night_bars([]).nights == ()
