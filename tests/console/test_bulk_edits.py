"""One edit of many frames from the search page: what would change, then a change set; who may."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from armillary.api.http.values import plain
from armillary.console import bulk
from armillary.edits.changesets import service
from tests.console.test_sessions import sign_in
from tests.support.archive import Archive, put
from tests.support.headers import a_file
from tests.support.rights import a_key

FOUND = {"exposure_min_s": "15", "set_keyword": ["OBJECT", "", ""], "set_value": ["M 33", "", ""]}
CARDS: dict[str, Any] = FOUND | {"set_comment": ["the galaxy", "", ""]}


@pytest.fixture
async def editor(
    browser: httpx.AsyncClient, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> httpx.AsyncClient:
    """Return a browser of somebody who may edit, and four frames."""
    # No worker looks before the answer has come.
    monkeypatch.setattr(bulk, "PATIENCE_S", 0.0)
    for number in range(4):
        cards = [("RELEASE", "2020-01-01", ""), ("EXPTIME", 10.0 * number, ""), ("OBJECT", f"M {number}", "")]
        await archive.ingest(put(archive.directory / f"f{number}.fits", a_file(cards=cards)))
    await sign_in(browser, await a_key(archive, "an editor", "edit", "read"))
    return browser


async def try_out(editor: httpx.AsyncClient, archive: Archive, **sent: Any) -> str:
    """Send the form, let a worker look, and return the address of what it found."""
    reply = await editor.post("/frames/edit", data=sent)
    assert reply.status_code == 303, reply.text
    await archive.drain()
    return str(reply.headers["location"])


async def rest(archive: Archive, made: httpx.Response) -> dict[str, Any]:
    """Let workers work until the change set rests to which an answer leads; return what is known of it."""
    number = re.fullmatch(r"/changesets/(\d+)", made.headers["location"])
    assert number
    while True:
        # Its steps pause, so that one round of work may not be all of it.
        await archive.drain()
        async with archive.context.database.begin() as connection:
            found = plain(await service.document(connection, int(number[1])))
        if found["state"] != "applying":
            return dict(found)


async def test_all_that_was_found_are_edited_and_nothing_else(
    editor: httpx.AsyncClient, archive: Archive
) -> None:
    shown = await editor.get("/frames", params={"exposure_min_s": "15"})
    assert "/frames/edit?exposure_min_s=15" in shown.text
    assert 'name="set_keyword"' in (await editor.get("/frames/edit?exposure_min_s=15")).text
    address = await try_out(editor, archive, **CARDS)
    tried = (await editor.get(address)).text
    assert re.search(r"Would change</dt><dd>2<", tried)
    assert re.search(r"<del>OBJECT  = (?:&#39;|')M 2", tried)
    assert re.search(r"<ins>OBJECT  = (?:&#39;|')M 33\b.*/ the galaxy", tried)
    assert [one["object"] for one in (await archive.page()).frames].count("M 33") == 0
    made = await editor.post(address, data={"why": "it is that one"})
    assert made.status_code == 303
    document = await rest(archive, made)
    assert (document["state"], document["files"]["changed"]) == ("completed", 2)
    assert (document["why"], document["criteria"]) == ("it is that one", ("exposure_min_s=15",))
    objects = {one["name"]: one["object"] for one in (await archive.page()).frames}
    assert objects == {"f0.fits": "M 0", "f1.fits": "M 1", "f2.fits": "M 33", "f3.fits": "M 33"}


async def test_marked_frames_are_edited(editor: httpx.AsyncClient, archive: Archive) -> None:
    asking = await editor.post("/frames/edit", data={"file": ["f0.fits", "f3.fits"]})
    assert (asking.status_code, "2 marked frames" in asking.text) == (200, True)
    cards = {"set_keyword": ["AIRMASS"], "set_value": ["1.25"], "set_comment": [""]}
    address = await try_out(editor, archive, file=["f0.fits", "f3.fits"], **cards)
    assert re.search(r"Would change</dt><dd>2<", (await editor.get(address)).text)
    await rest(archive, await editor.post(address, data={"why": ""}))
    told = {one["name"]: one["airmass"] for one in (await archive.page()).frames}
    assert told == {"f0.fits": 1.25, "f1.fits": None, "f2.fits": None, "f3.fits": 1.25}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"set_keyword": ["NAXIS"], "set_value": ["3"], "set_comment": [""]}, "Protected keyword: NAXIS"),
        ({"set_keyword": ["OBJ ECT!"], "set_value": ["3"], "set_comment": [""]}, "OBJ ECT!"),
        ({"set_keyword": [""], "set_value": ["3"], "set_comment": [""]}, "No card is set"),
    ],
)
async def test_what_is_refused_keeps_the_form(
    editor: httpx.AsyncClient, changes: dict[str, Any], reason: str
) -> None:
    reply = await editor.post("/frames/edit", data=CARDS | changes)
    assert reply.status_code in (400, 422)
    assert reason in reply.text
    assert 'name="exposure_min_s" value="15"' in reply.text
    assert 'value="3"' in reply.text


async def test_a_search_that_asks_for_nothing_edits_nothing(
    editor: httpx.AsyncClient, archive: Archive
) -> None:
    reply = await editor.post("/frames/edit", data=CARDS | {"exposure_min_s": ""})
    assert reply.status_code == 400
    assert "every frame" in (await editor.get("/frames/edit")).text
    assert "Edit all" not in (await editor.get("/frames")).text
    assert await archive.unfinished() == 0


async def test_others_edit_nothing(editor: httpx.AsyncClient, archive: Archive) -> None:
    address = await try_out(editor, archive, **CARDS)
    elsewhere = {"Origin": "https://elsewhere.example"}
    assert (await editor.post("/frames/edit", data=CARDS, headers=elsewhere)).status_code == 403
    assert (await editor.post(address, data={"why": ""}, headers=elsewhere)).status_code == 403
    editor.cookies.clear()
    for method, path in (
        ("GET", "/frames/edit"),
        ("POST", "/frames/edit"),
        ("GET", address),
        ("POST", address),
    ):
        assert (await editor.request(method, path)).status_code == 401
    assert "Edit" not in re.sub(r"(?s)<head>.*?</head>", "", (await editor.get("/frames")).text)
    await sign_in(editor, await a_key(archive, "a reader", "read"))
    assert (await editor.post(address, data={"why": ""})).status_code == 403
    await sign_in(editor, await a_key(archive, "another editor", "edit"))
    assert "somebody else" in (await editor.get(address)).text
    assert (await editor.post(address, data={"why": ""})).status_code == 404
    assert (await editor.post("/frames/edit/999999", data={"why": ""})).status_code == 404
