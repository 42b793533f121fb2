"""The page of a night: who sees which exposures, what the almanac says, what was noted; and the list of nights."""

from __future__ import annotations

import html
import re
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from armillary.access.models import Level
from armillary.archive.catalog import service as catalog
from armillary.sites import service as sites
from tests.console.test_shell import HOSTILE
from tests.console.test_work import enter, text_of
from tests.support.archive import Archive, put
from tests.support.frames import a_header
from tests.support.headers import a_file
from tests.support.sites import a_wema, an_observatory, sent

MANY = """
WITH model AS (SELECT v.*, f.started_at FROM version v JOIN frame f ON f.version_id = v.id LIMIT 1),
numbered AS (
    INSERT INTO file (name) SELECT 'more' || n || '.fits' FROM generate_series(1, 5000) AS n RETURNING id, name),
versions AS (
    INSERT INTO version OVERRIDING SYSTEM VALUE
    SELECT (jsonb_populate_record(
        v, jsonb_build_object('id', 1000000 + n.id, 'file_id', n.id, 'filename', n.name))).*
    FROM version AS v, numbered AS n WHERE v.id = (SELECT id FROM model) RETURNING id, file_id)
INSERT INTO frame
SELECT (jsonb_populate_record(f, jsonb_build_object(
    'file_id', n.file_id, 'version_id', n.id, 'instrument', 'GMOS-' || n.file_id % 7,
    'started_at', f.started_at + make_interval(secs => 7 * (n.file_id % 4000))))).*
FROM frame AS f, versions AS n WHERE f.version_id = (SELECT id FROM model)
"""


async def take(archive: Archive, name: str = "N20260101S0001.fits", **cards: Any) -> None:
    """Take a frame of Gemini North in, of 2026-01-01 09:30 UTC unless the cards say otherwise."""
    told = [(key, value, "") for key, value in (a_header(RELEASE="2026-01-02") | cards).items()]
    await archive.ingest(put(archive.directory / name, a_file(cards=told)))


async def hide(archive: Archive) -> None:
    """Hide what is not released in all collections."""
    async with archive.context.database.begin() as connection:
        roots = await catalog.list_roots(connection)
    for root in roots:
        await catalog.set_visibility(archive.context, root.name, Level.HIDDEN)


async def configure(archive: Archive, site: str = "mrc1", **changes: Any) -> None:
    """Store the configuration of a site with a place of its own."""
    told = a_wema(instance_type="obs", obs_id=site, wema_name=site, **changes)
    await sites.put_config(archive.context, site, sent(told), actor="a test")


async def test_a_night_shows_sky_and_exposures(browser: httpx.AsyncClient, archive: Archive) -> None:
    await take(archive)
    page = await browser.get("/nights/gemini-north/2026-01-01")
    assert page.status_code == 200
    told = await text_of(browser, "/nights/gemini-north/2026-01-01")
    assert "Gemini North, Maunakea, night of 2026-01-01" in told
    assert "From 2026-01-01 00:00:00 to 2026-01-02 00:00:00 UTC. 1 exposure, list them ." in told
    assert 'href="/files/N20260101S0001.fits"' in page.text
    # 09:30 of a day from midnight to midnight.
    assert 'x="395.8"' in page.text
    assert page.text.count('class="sky ') == 9
    assert "GMOS-N 1 2026-01-01 09:30:00 2026-01-01 09:30:00 1 min" in told
    assert 'href="/nights/gemini-north/2026-01-02" rel="next"' in page.text
    assert not re.search(r"\sstyle=|<script(?![^>]*\bsrc=)", page.text)
    over = await text_of(browser, "/nights")
    assert "gemini-north All frames 2026-01-01 1 frame" in over
    leading = await browser.get("/nights/gemini-north")
    assert leading.headers["location"] == "/nights/gemini-north/2026-01-01"


async def test_events_are_where_the_almanac_says(browser: httpx.AsyncClient, archive: Archive) -> None:
    await configure(archive)
    reply = await browser.get("/v1/events", params={"site": "mrc1", "when": "2026-01-02T06:00:00Z"})
    assert reply.status_code == 200, reply.text
    night = reply.json()
    page = (await browser.get("/nights/mrc1/2026-01-01")).text
    told = await text_of(browser, "/nights/mrc1/2026-01-01")
    for one in night["events"]:
        assert f"{one['name'].replace('&', '&amp;')} {one['utc'][:19].replace('T', ' ')}" in told
    assert f"Sunset {night['almanac']['sun']['set'][:19].replace('T', ' ')} 1" in told
    seconds = {one["name"]: one["unix"] for one in night["events"]}
    start = 1767297600.0  # 2026-01-01T20:00:00Z, noon in Los Angeles
    x = round((seconds["Observing Begins"] - start) / 86.4, 1)
    width = round(round((seconds["Observing Ends"] - start) / 86.4, 1) - x, 1)
    assert re.search(rf'class="span" x="{x}" y="[0-9.]+" width="{width}"', page)
    assert "UTC and America/Los_Angeles" in told


async def test_a_night_without_sunset_says_so(browser: httpx.AsyncClient, archive: Archive) -> None:
    await configure(archive, latitude=69.65, longitude=18.96, TZ_database_name="Europe/Oslo")
    told = await text_of(browser, "/nights/mrc1/2026-06-21")
    assert "Sunset does not occur: the Sun stays above all night" in told
    assert "Sunrise does not occur: the Sun stays above all night" in told
    assert "no exposures that you may see" in told
    page = (await browser.get("/nights/mrc1/2026-06-21")).text
    assert re.findall(r'class="sky (\w+)"', page) == ["day"]
    dark = await text_of(browser, "/nights/mrc1/2026-12-21")
    assert "Sunset does not occur: the Sun stays below all night" in dark


@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        ("gemini-north/1885-01-01", 200, "The ephemeris DE421 covers the dates 1900-01-01 to 2053-10-01"),
        ("gemini-north/2100-01-01", 200, "The ephemeris DE421 covers"),
        ("gemini-north/2026-02-30", 400, "is no night; use a date from 1850 to 2200"),
        ("gemini-north/0001-01-01", 400, "is no night"),
        ("gemini-north/tonight", 400, "is no night"),
        ("nowhere/2026-01-01", 404, "Nothing is known of a site"),
        ("a/b%3Cscript%3E/2026-01-01", 404, "Nothing is known of a site"),
        ("nowhere", 404, "Nothing is known of a site"),
    ],
)
async def test_other_addresses_say_what_is_wrong(
    browser: httpx.AsyncClient, address: str, status: int, words: str
) -> None:
    reply = await browser.get(f"/nights/{address}")
    assert reply.status_code == status
    assert words in reply.text
    assert "<script>" not in reply.text


async def test_a_site_that_nobody_has_placed_shows_its_exposures(
    browser: httpx.AsyncClient, archive: Archive
) -> None:
    await take(archive)
    async with archive.context.database.begin() as connection:
        await connection.execute(text("UPDATE frame SET site = 'the roof/of <Bob>'"))
    over = (await browser.get("/nights")).text
    assert "the roof/of &lt;Bob&gt;" in over
    (address,) = re.findall(r'href="(/nights/[^"]*Bob[^"]*2026-01-01)"', over)
    told = await text_of(browser, address)
    assert "There is no sky to show: Where it is has nobody said" in told
    assert "1 exposure, list them" in told
    assert 'class="sky' not in (await browser.get(address)).text


async def test_a_configuration_without_a_place_says_what_it_lacks(
    browser: httpx.AsyncClient, archive: Archive
) -> None:
    await sites.put_config(archive.context, "mrc1", sent(an_observatory(wema_name="none")), actor="a test")
    told = await text_of(browser, "/nights/mrc1/2026-01-01")
    assert "There is no sky to show" in told
    assert "latitude" in told


async def test_hidden_exposures_are_not_there_and_positions_are_not_told(
    browser: httpx.AsyncClient, archive: Archive
) -> None:
    await take(archive, OBJECT="Secret Nebula", PROP_MD=True)
    await take(archive, "N20260101S0002.fits", OBJECT="Open Nebula", UT="10:30:00")
    async with archive.context.database.begin() as connection:
        await connection.execute(
            text("UPDATE frame SET release = '2999-01-01' WHERE object = 'Secret Nebula'")
        )
    address = "/nights/gemini-north/2026-01-01"
    stranger = (await browser.get(address)).text
    assert "N20260101S0001.fits" in stranger
    assert "Open Nebula" in stranger
    assert "Secret Nebula" not in stranger
    await hide(archive)
    stranger = (await browser.get(address)).text
    assert "N20260101S0001.fits" not in stranger
    assert "N20260101S0002.fits" in stranger
    assert " 1 exposure," in stranger
    await enter(browser, archive, "read")
    reader = (await browser.get(address)).text
    assert "Secret Nebula" in reader
    assert " 2 exposures," in reader


async def test_a_site_of_which_all_is_hidden_is_unknown(browser: httpx.AsyncClient, archive: Archive) -> None:
    await take(archive)
    async with archive.context.database.begin() as connection:
        await connection.execute(text("UPDATE frame SET site = 'secret', release = '2999-01-01'"))
    await hide(archive)
    for path in ("/nights/secret/2026-01-01", "/nights/secret"):
        secret, none = await browser.get(path), await browser.get(path.replace("secret", "nobody"))
        assert secret.status_code == none.status_code == 404
        assert secret.text.replace("secret", "nobody") == none.text
    assert "secret" not in (await browser.get("/nights")).text


async def test_the_night_log_is_for_those_whom_its_route_answers(
    browser: httpx.AsyncClient, archive: Archive
) -> None:
    await configure(archive)
    await sites.add_entry(archive.context, "mrc1", f"clouds {HOSTILE}", author="ann")
    now = archive.context.clock.now()
    day = (await browser.get("/nights/mrc1")).headers["location"]
    page = (await browser.get(day)).text
    native = await browser.get("/v1/nightlog/mrc1", headers={"Accept": "application/json"})
    assert native.status_code == 200
    assert "clouds &lt;script&gt;alert(1)&lt;/script&gt;⟨001B⟩[31m" in page
    assert "<script>alert" not in page
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e]", page)
    assert f"{now:%Y-%m-%d}" in page
    assert 'class="mark"' in page
    assert '<line class="now"' in page


async def test_five_thousand_exposures_stay_light(browser: httpx.AsyncClient, archive: Archive) -> None:
    await take(archive, UT="05:00:00")
    async with archive.context.database.begin() as connection:
        await connection.execute(text(MANY))
    page = await browser.get("/nights/gemini-north/2026-01-01")
    assert len(page.content) < 200_000
    assert "5\u202f001 exposures" in page.text
    assert page.text.count('class="tick') <= 310
    ticks = re.findall(r"<title>(\d+) exposures, ", page.text)
    assert sum(map(int, ticks)) + page.text.count("60 s</title>") >= 5000


async def test_a_tick_of_several_exposures_leads_to_them(
    browser: httpx.AsyncClient, archive: Archive
) -> None:
    for number, time in enumerate(("09:30:00", "09:30:08", "11:00:00"), start=1):
        await take(archive, f"N20260101S000{number}.fits", UT=time)
    page = (await browser.get("/nights/gemini-north/2026-01-01")).text
    assert "<title>2 exposures, 2026-01-01 09:30:00 to 2026-01-01 09:30:08 UTC</title>" in page
    (address,) = set(re.findall(r'<a href="(/frames\?[^"]*)" tabindex', page))
    listed = await browser.get(html.unescape(address), follow_redirects=True)
    assert listed.status_code == 200
    shown = [number for number in (1, 2, 3) if f"N20260101S000{number}.fits" in listed.text]
    assert shown == [1, 2]
