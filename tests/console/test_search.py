"""The search page: every field, what is refused and why, pages to the end, what is told to whom."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.fields import CRITERIA
from armillary.archive.query import search
from armillary.base.patience import patience
from armillary.base.postgres.server import EmbeddedServer
from armillary.console.searching import NAMES, PLACE
from armillary.settings import ConsoleSettings
from tests.console.conftest import BROWSER
from tests.console.test_sessions import sign_in
from tests.console.test_shell import HOSTILE
from tests.support.archive import Archive, put
from tests.support.frames import a_header
from tests.support.headers import a_file
from tests.support.rights import a_key
from tests.support.serving import serving
from tests.support.sites import as_web

FUTURE = "2900-01-01"
ROWS = re.compile(r'<td class="mono"><a href="/files/[^"]*">([^<]+)</a>')


def cards_of(**changes: Any) -> list[tuple[str, Any, str]]:
    """Return the cards of a frame of the north, with some of them changed."""
    header = a_header(RELEASE="2020-01-01") | changes
    return [(key, value, "") for key, value in header.items() if value is not None]


async def take_in(archive: Archive, **files: dict[str, Any]) -> None:
    """Take files in, given their cards."""
    paths = [
        put(archive.directory / "in" / f"{name}.fits", a_file(cards=cards_of(**cards)))
        for name, cards in files.items()
    ]
    report = await archive.ingest(*paths)
    assert (report.ingested, report.failed) == (len(paths), [])


async def names(browser: httpx.AsyncClient, **query: Any) -> list[str]:
    """Return the names in the table of a search."""
    reply = await browser.get("/frames", params=query, follow_redirects=True)
    assert reply.status_code == 200, reply.text
    return ROWS.findall(reply.text)


FIELDS = (
    {"site": "gemini-north"},
    {"instrument": "GMOS-N"},
    {"telescope": "Gemini-North"},
    {"night": "2026-01-01"},
    {"night": "2025-12-30", "night_until": "2026-01-01"},
    {"since": "2026-01-01 05:00", "until": "2026-01-01T06:00:00Z"},
    {"object": "M 31"},
    {"program": "GN-2026A-Q-1"},
    {"observation_id": "GN-2026A-Q-1-7"},
    {"data_label": "GN-2026A-Q-1-7-001"},
    {"observation_type": "OBJECT"},
    {"filter": "r"},
    {"exposure_min_s": "25", "exposure_max_s": "35"},
    {"qa_state": "pass"},
    {"name": "one.fits"},
    {"name": "on?.*"},
    {"warnings": "false", "name": "one*"},
    {"during": "2026-01-01T05:00/2026-01-01T05:01"},
    {"latest": "1", "per": "object", "object": "M 31"},
    {"keyword": "EXPTIME>29"},
    {"position": "10.68 41.27"},
    {"position": "00:42:43.2, +41:16:12", "radius": "1'"},
    {"position": "0h42m43.2s +41d16m12s", "radius": "60 arcsec"},
    {"position": "m 31", "radius": "0.05"},
    {"cone": "10.68,41.27,0.1"},
    {"selection": "GMOS-N/object=M 31"},
)
ONE = {
    "INSTRUME": "GMOS-N", "TELESCOP": "Gemini-North", "OBJECT": "M 31", "GEMPRGID": "GN-2026A-Q-1",
    "OBSID": "GN-2026A-Q-1-7", "DATALAB": "GN-2026A-Q-1-7-001", "OBSTYPE": "OBJECT", "EXPTIME": 30.0,
    "DATE-OBS": "2026-01-01", "UT": "05:00:30", "RA": 10.68, "DEC": 41.27,
    "FILTER1": "r_G0303", "FILTER2": "open1-6", "RAWGEMQA": "USABLE", "RAWPIREQ": "YES",
}  # fmt: skip
OTHER = {
    "INSTRUME": "GMOS-S", "TELESCOP": "Gemini-South", "OBJECT": "Bias", "GEMPRGID": "GS-2026A-Q-2",
    "OBSID": "GS-2026A-Q-2-9", "DATALAB": "GS-2026A-Q-2-9-001", "OBSTYPE": "BIAS", "EXPTIME": 1.0,
    "DATE-OBS": "2026-03-01", "UT": "03:00:00", "RA": 200.0, "DEC": -70.0,
    "FILTER1": "g_G0325", "FILTER2": "open1-6", "RAWGEMQA": "BAD", "RAWPIREQ": "NO",
}  # fmt: skip


async def test_each_field_finds_what_the_interface_for_programs_finds(
    browser: httpx.AsyncClient, archive: Archive
) -> None:
    await take_in(archive, one=ONE, other=OTHER)
    asked = {name for one in FIELDS for name in one}
    assert asked >= {*(one.name for one in CRITERIA), "name", "keyword", "selection", "cone", *PLACE} - {
        "finding"
    }
    for query in FIELDS:
        assert await names(browser, **query) == ["one.fits"], query
        if not query.keys() & {*PLACE}:
            reply = await browser.get("/v1/frames", params=_told(query))
            assert [one["name"] for one in reply.json()["frames"]] == ["one.fits"], query
    assert await names(browser) == ["other.fits", "one.fits"]
    assert await names(browser, finding="any") == []


def _told(query: dict[str, str]) -> dict[str, str]:
    return {
        name: value.replace(" 05:00", "T05:00Z") if name == "since" else value
        for name, value in query.items()
    }


async def test_what_is_empty_vanishes_from_the_address(browser: httpx.AsyncClient) -> None:
    sent = [(name, "") for name in NAMES] + [("keyword", ""), ("keyword", "A=1"), ("view", "table")]
    reply = await browser.get("/frames", params=sent)
    assert (reply.status_code, reply.headers["location"]) == (303, "/frames?keyword=A%3D1")
    marked = [("columns", "night"), ("columns", "object"), ("site", "gn")]
    reply = await browser.get("/frames", params=[*marked, ("object", " ")])
    assert reply.headers["location"] == "/frames?site=gn&columns=night%2Cobject"
    assert (await browser.get(reply.headers["location"])).status_code == 200


@pytest.mark.parametrize(
    ("query", "field", "said"),
    [
        ({"selection": "GMOS-N/Passs"}, "selection", "'Passs' (did you mean 'Pass'?)"),
        ({"selection": "date=2026"}, "selection", "date=2026"),
        ({"selection": "/".join(["GMOS"] * 101)}, "selection", "at most 100"),
        ({"keyword": "EXPTIME"}, "keyword", "KEYWORD=VALUE"),
        ({"exposure_min_s": "long"}, "exposure_min_s", "'long' is not a number"),
        ({"exposure_max_s": "nan"}, "exposure_max_s", "not a number"),
        ({"night": "2026-02-30"}, "night", "YYYY-MM-DD"),
        ({"since": "soon"}, "since", "is not a time"),
        ({"qa_state": "Good"}, "qa_state", "Undefined, Pass, Usable, Fail, CHECK"),
        ({"latest": "3"}, "latest", "per"),
        ({"during": "x"}, "during", "START/END"),
        ({"cone": "1,2"}, "cone", "RA,DEC,RADIUS"),
        ({"position": "400 10"}, "position", "no right ascension"),
        ({"position": "Nothing"}, "position", "no frame of an object of that name"),
        ({"position": "1 2", "radius": "wide"}, "radius", "no radius"),
        ({"radius": "1"}, "radius", "needs a position"),
        ({"cone": "1,2,3", "position": "1 2"}, "cone", "two circles"),
        ({"position": "a\x00b"}, "position", "no header can have"),
        ({"object": "a\x00b"}, "object", "no header can have"),
        ({"site": "x" * 300}, "site", "At most 200 characters"),
    ],
)
async def test_what_is_refused_stays_in_the_form_with_the_reason(
    browser: httpx.AsyncClient, query: dict[str, str], field: str, said: str
) -> None:
    reply = await browser.get("/frames", params={"object": "M 31", **query})
    assert reply.status_code == 400
    text = html.unescape(reply.text)
    wrong = re.search(rf'id="w-{field}">(.*?)</p>', text, re.DOTALL)
    assert wrong, text
    assert said in wrong[1]
    if "object" not in query:
        assert 'name="object" type="text" value="M 31"' in text
    if field != "qa_state" and "\x00" not in query[field]:
        assert f'value="{query[field]}"' in text
    piece = await browser.get("/frames", params=query, headers={"HX-Request": "true"})
    assert piece.status_code == 400
    assert 'class="notice bad"' in piece.text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"instrment": "x"}, "did you mean 'instrument'?"),
        ({"columns": "night,colour"}, "There are no columns colour"),
        ({"view": "list"}, "table and wall"),
        ({"limit": "0"}, "1 to 1000 frames"),
        ({"cursor": "bad"}, "Begin with the first page"),
    ],
)
async def test_choices_that_there_are_none_of_are_refused(
    browser: httpx.AsyncClient, query: dict[str, str], said: str
) -> None:
    reply = await browser.get("/frames", params=query)
    assert reply.status_code == 400
    assert said in html.unescape(reply.text)


@pytest.mark.parametrize("view", ["table", "wall"])
async def test_pages_lead_to_the_end(browser: httpx.AsyncClient, archive: Archive, view: str) -> None:
    """As links, and as a script asks for them: nothing is lost, nothing comes twice."""
    await take_in(archive, **{f"f{n:02d}": {"UT": f"05:00:{n % 7:02d}"} for n in range(11)})
    for headers in ({}, {"HX-Request": "true"}):
        seen, address, pages = [], f"/frames?view={view}&limit=3&site=gemini-north", 0
        while address:
            reply = await browser.get(address, headers=headers if pages else {}, follow_redirects=True)
            assert reply.status_code == 200
            assert ("<html" in reply.text) is not bool(headers and pages)
            seen += re.findall(r"<b>(f\d\d\.fits)</b>|\">(f\d\d\.fits)</a>", reply.text)
            found = re.search(r'<a href="([^"]+)">Next page</a>', reply.text)
            address, pages = html.unescape(found[1]) if found else "", pages + 1
        assert pages == 4
        assert sorted(one or two for one, two in seen) == [f"f{n:02d}.fits" for n in range(11)]


async def test_marks_of_many_pages_are_no_form_that_is_too_long(
    browser: httpx.AsyncClient, archive: Archive
) -> None:
    await take_in(archive, one=ONE)
    data = {"file": ["one.fits", *(f"f{number}.fits" for number in range(1999))]}
    reply = await browser.post("/frames/download", data=data)
    assert (reply.status_code, "<dt>Files</dt><dd>1</dd>" in reply.text) == (200, True)


async def counted(browser: httpx.AsyncClient, address: str) -> int:
    """Return the number of frames that is told as exact; a busy machine may have no time to count at once."""
    while True:
        text = (await browser.get(address)).text
        if found := re.search(r"<span>\s*(\d+) frames?\s*</span>", text):
            return int(found[1])
        assert "About" in text, text


async def test_totals_say_what_they_are(browser: httpx.AsyncClient, archive: Archive) -> None:
    await take_in(archive, **{f"f{n}": {"EXPTIME": 1.0 + n} for n in range(5)})
    assert re.search(r'id="count"[^>]*>\s*5 frames', (await browser.get("/frames")).text)
    first = (await browser.get("/frames?limit=2")).text
    assert "More than 2 frames" in first
    assert 'hx-get="/frames/total?&amp;shown=2"' in first
    assert await counted(browser, "/frames/total?patience=1") == 5
    assert await counted(browser, "/frames/total?exposure_max_s=3&patience=1") == 3
    assert await counted(browser, "/frames?limit=2&total=exact&exposure_max_s=3") == 3
    quick = (await browser.get("/frames/total?exposure_max_s=3")).text
    # A busy machine may have no time to count, and then says so.
    assert "3 frames" in quick or "Counting takes a while" in quick
    shown = (await browser.get("/frames/total?exposure_max_s=3&shown=2")).text
    assert "3 frames" in shown or "More than 2 frames" in shown
    assert (await browser.get("/frames/total?selection=Passs")).status_code == 400


async def test_columns_are_those_that_are_chosen(browser: httpx.AsyncClient, archive: Archive) -> None:
    await take_in(archive, one=ONE)
    text = (await browser.get("/frames?columns=ra_deg,dec_deg,file_size,exposure_s")).text
    heads = re.findall(r"<th[^>]*>(.*?)</th>", text)
    assert [re.sub("<[^>]*>", "", one) for one in heads][3:] == ["Exposure s", "RA", "Dec", "Size"]
    assert ">00:42:43.20<" in text
    assert ">+41:16:12.0<" in text


async def test_a_calendar_counts_nights(browser: httpx.AsyncClient, archive: Archive) -> None:
    await take_in(archive, one=ONE, two={**ONE, "OBJECT": "M 33"}, other=OTHER)
    months = (await browser.get("/frames/calendar?night=2026-01-01&object=M+31")).text
    assert "January 2026" in months
    found = {
        re.search(r"night=(\d{4}-\d\d-\d\d)", one)[1]: int(number)  # type: ignore[index]  # it is there, or the test fails
        for one, number in re.findall(r'<a href="([^"]*)"[^>]*>\d+<b>(\d+)</b>', months)
    }
    assert found == {"2026-01-01": 1}
    newest = (await browser.get("/frames/calendar")).text
    assert "March 2026" in newest
    assert "3 frames in these months" in newest
    for month in ("2026-13", "x", "0001-01"):
        assert (await browser.get(f"/frames/calendar?month={month}")).status_code == 400


async def test_words_are_completed_from_grammar_and_archive(
    browser: httpx.AsyncClient, archive: Archive
) -> None:
    async def offered(text: str) -> list[str]:
        reply = await browser.get("/frames/words", params={"selection": text})
        return re.findall(r'value="([^"]*)"', html.unescape(reply.text))

    assert "GMOS-N/Pass" in await offered("GMOS-N/Pas")
    assert "GMOS-N" not in await offered("")
    await take_in(archive, one=ONE)
    assert (await offered(""))[:1] == ["GMOS-N"]
    assert "20260101/GN-2026A-Q-1" in await offered("20260101/GN-2026")
    values = html.unescape((await browser.get("/frames/values")).text)
    assert re.search(r'<datalist id="v-program"><option value="GN-2026A-Q-1">', values)
    (filtered,) = await offered("filter=")
    assert await names(browser, selection=filtered) == ["one.fits"]


async def test_what_strangers_wrote_is_text(browser: httpx.AsyncClient) -> None:
    for name in ("object", "selection", "position", "keyword", "instrment", "columns"):
        reply = await browser.get("/frames", params={name: HOSTILE, "site": HOSTILE})
        assert "<script>alert" not in reply.text
        assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e]", reply.text)


async def test_headers_of_strangers_are_text(browser: httpx.AsyncClient, archive: Archive) -> None:
    hostile = "<script>alert(1)</script>\"'&"
    await take_in(archive, one={**ONE, "OBJECT": hostile, "GEMPRGID": hostile})
    for view in ("table", "wall"):
        text = (await browser.get(f"/frames?view={view}", follow_redirects=True)).text
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)" in text
    assert await names(browser, object=hostile) == ["one.fits"]


async def test_places_of_objects_are_told_to_those_who_may_know_them(
    browser: httpx.AsyncClient, archive: Archive
) -> None:
    await take_in(archive, sealed={**ONE, "OBJECT": "Secret", "RELEASE": FUTURE, "PROP_MD": True})
    refused = await browser.get("/frames?position=Secret")
    absent = await browser.get("/frames?position=Nobody")
    assert refused.status_code == 400
    assert refused.text.replace("Secret", "Nobody") == absent.text
    assert "Secret" not in (await browser.get("/frames?name=sealed.fits")).text
    await sign_in(browser, await a_key(archive, "a reader", "read"))
    assert await names(browser, position="Secret") == ["sealed.fits"]


async def test_an_object_in_many_places_is_no_place(browser: httpx.AsyncClient, archive: Archive) -> None:
    await take_in(archive, one=ONE, two={**ONE, "RA": 50.0})
    reply = await browser.get("/frames?position=M+31")
    assert (reply.status_code, "is no place" in reply.text) == (400, True)


@pytest.mark.parametrize("page", ["searchform", "summary", "ssummary", "lsummary", "diskfiles"])
async def test_old_pages_lead_here_with_their_selection(browser: httpx.AsyncClient, page: str) -> None:
    reply = await browser.get(f"/{page}/GMOS-N/20260101/object=a%2Fb%20c")
    assert reply.status_code == 303
    address = urlsplit(reply.headers["location"])
    assert address.path == "/frames"
    assert dict(parse_qsl(address.query)) == {"selection": "GMOS-N/20260101/object=a=slash=b c"}
    shown = await browser.get(reply.headers["location"])
    assert shown.status_code == 200
    assert (await browser.get(f"/{page}")).headers["location"] == "/frames"


def ways_in(text: str) -> dict[str, str]:
    """Return the commands that a page shows, by their names."""
    found = re.findall(r'<pre id="way-([^"]+)"[^>]*>(.*?)</pre>', text, re.DOTALL)
    return {name: html.unescape(command) for name, command in found}


async def test_a_page_that_is_refused_shows_no_commands(browser: httpx.AsyncClient) -> None:
    assert ways_in((await browser.get("/frames?night=x")).text) == {}
    shown = ways_in((await browser.get("/frames?night=2026-01-01&keyword=A%3Eit's")).text)
    assert list(shown) == ["curl", "python", "cli"]
    assert "--night=2026-01-01" in shown["cli"]


async def test_what_looks_through_headers_for_long_comes_later(
    archive: Archive, postgres: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page comes without its rows, says so, and asks for them itself; without scripts a link does."""
    await take_in(archive, dim={"GAIN": 1.5})
    slow = sa.text("SELECT pg_sleep(5)")
    plain = search.search

    async def slowly(connection: AsyncConnection, *asked: Any, **how: Any) -> Any:
        if how.get("patience_ms") is None:
            return await plain(connection, *asked, **how)
        async with patience(connection, how["patience_ms"]):
            return await connection.execute(slow)

    monkeypatch.setattr("armillary.archive.query.service.search", slowly)
    async with (
        as_web(archive, postgres, console=ConsoleSettings(patience_ms=1)) as web,
        serving(web) as client,
    ):
        client.headers.update(BROWSER)
        shown = (await client.get("/frames?keyword=GAIN>1")).text
        (address,) = re.findall(r'class="nothing" hx-get="([^"]+)" hx-trigger="load"', shown)
        followed = await client.get(html.unescape(address), headers={"HX-Request": "true"})
        waited = await client.get(html.unescape(address))
        indexed = (await client.get("/frames?name=dim.fits")).text
    assert "dim.fits" not in shown
    assert "Looking through all headers" in shown
    assert followed.text.lstrip().startswith('<form class="panel" aria-label="Results"')
    assert "dim.fits" in followed.text
    assert "dim.fits" in waited.text
    assert "dim.fits" in indexed
