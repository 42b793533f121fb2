"""Edits on the page of a file: judged, sent and taken back by forms, with scripts and without."""

from __future__ import annotations

import html
import re

import httpx
import pytest

from armillary.access.models import Scope
from armillary.console.files import editing
from tests.support.archive import Archive, put
from tests.support.embargo import sealed
from tests.support.file_pages import (
    ELSEWHERE,
    SCRIPT,
    editor,
    form,
    objects,
    part,
    signed_in,
    taken_in,
    values,
    work,
)
from tests.support.headers import a_file

__all__ = ["editor", "taken_in", "work"]


async def test_an_editor_who_may_not_read_edits_unseen(
    browser: httpx.AsyncClient, archive: Archive, work: None
) -> None:
    one = sealed("proprietary", "")
    await archive.ingest(put(archive.directory / one.stored, one.content()))
    await signed_in(browser, archive, Scope.EDIT)
    assert (await browser.get(f"/edit/{one.name}?card=0:OBJECT")).status_code == 403
    said = {"card": "0:", "keyword": "OBJECT", "value": "mine", "do": "judge"}
    judged = await browser.post(f"/edit/{one.name}", data=said)
    assert judged.status_code == 200
    assert one.target not in html.unescape(judged.text)
    assert "nor whether it is there" in html.unescape(judged.text)
    sent = await browser.post(f"/edit/{one.name}", data=said | {"do": "send"})
    assert sent.status_code == 303
    shown = await browser.get(f"/files/{one.name}")
    assert "The cards are not public" in shown.text
    assert one.target not in shown.text


async def test_judging_shows_the_card_as_it_will_be_and_sends_nothing(
    editor: httpx.AsyncClient, archive: Archive, taken_in: str
) -> None:
    row = await editor.get("/edit/N20260101S0001.fits?card=0:OBJECT", headers=SCRIPT)
    assert (row.headers["hx-reswap"], row.headers["hx-retarget"][:3]) == ("afterend", "#c0")
    assert 'value="M 31"' in row.text
    judged = await editor.post(f"/edit/{taken_in}", data=await form(archive), headers=SCRIPT)
    assert judged.status_code == 200
    assert judged.headers["hx-retarget"] == "#judged"
    assert "<del>OBJECT  = 'M 31    '           / what was observed</del>" in html.unescape(judged.text)
    assert "<ins>OBJECT  = 'M 33    '           / what was observed</ins>" in html.unescape(judged.text)
    assert 'value="send"' in html.unescape(judged.text)
    same = await editor.post(f"/edit/{taken_in}", data=await form(archive, value="M 31"), headers=SCRIPT)
    assert "nothing would change" in html.unescape(same.text)
    assert 'value="send"' not in html.unescape(same.text)
    assert await objects(archive) == ["M 31"]
    assert await archive.unfinished() == 0


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        ({"card": "0:", "keyword": "SIMPLE", "value": "T", "kind": "logical"}, "item_refused", "Protected"),
        ({"card": "0:", "keyword": "naxis1"}, "item_refused", "Protected keyword: NAXIS1"),
        ({"card": "0:", "keyword": "ÄRGER"}, "item_refused", "Invalid keyword"),
        ({"card": "0:", "keyword": ""}, "item_refused", "Write a keyword"),
        ({"card": "0:", "keyword": "OBJECT"}, "item_refused", "There is a card OBJECT already"),
        ({"value": "naïve"}, "item_refused", "Invalid value"),
        ({"value": "x" * 1001}, "item_refused", "Invalid value"),
        ({"comment": "naïve"}, "item_refused", "Invalid value"),
        ({"kind": "number", "value": "2.5 / no"}, "item_refused", "is no number"),
        ({"kind": "number", "value": "NaN"}, "item_refused", "is no number"),
        ({"kind": "number", "value": "T"}, "item_refused", "is no number"),
        ({"kind": "number", "value": "9" * 30}, "item_refused", "Invalid value"),
        ({"kind": "logical", "value": "maybe"}, "item_refused", "T or F"),
        ({"card": "7:", "keyword": "NEW"}, "item_refused", "no HDU 7"),
        ({"card": "0:RELEASE", "keyword": "", "value": "tomorrow"}, "item_refused", "Release date"),
    ],
)
async def test_what_the_interface_refuses_is_refused_while_one_types(
    editor: httpx.AsyncClient, archive: Archive, taken_in: str, said: dict[str, str], code: str, words: str
) -> None:
    data = await form(archive, **said)
    for sending in ("judge", "send"):
        piece = await editor.post(f"/edit/{taken_in}", data=data | {"do": sending}, headers=SCRIPT)
        whole = await editor.post(f"/edit/{taken_in}", data=data | {"do": sending})
        assert (piece.status_code, whole.status_code) == (200, 422)
        for reply in (piece, whole):
            assert words in html.unescape(reply.text)
            assert f'href="/docs/errors#{code}"' in reply.text
    assert await archive.unfinished() == 0
    assert await objects(archive) == ["M 31"]


@pytest.mark.parametrize(
    "said", [{"card": "x"}, {"card": "-1:OBJECT"}, {"version": "x"}, {"why": "x" * 1001}, {"card": "0:\0"}]
)
async def test_forms_that_no_page_made_are_refused(
    editor: httpx.AsyncClient, archive: Archive, taken_in: str, said: dict[str, str]
) -> None:
    reply = await editor.post(f"/edit/{taken_in}", data=await form(archive, **said))
    assert reply.status_code == 400
    assert "bad_request" in reply.text


@pytest.mark.usefixtures("work")
async def test_an_edit_shows_its_outcome_without_a_reload(
    editor: httpx.AsyncClient, archive: Archive, taken_in: str
) -> None:
    sent = await editor.post(
        f"/edit/{taken_in}", data=await form(archive, do="send", page=1, find="obj"), headers=SCRIPT
    )
    assert sent.status_code == 200
    assert "The file has been edited" in html.unescape(sent.text)
    assert "'M 33'" in html.unescape(sent.text)
    assert re.search(r'aria-label="Edit OBJECT" autofocus', sent.text)
    assert sent.headers["hx-trigger"] == "live:frames"
    assert await objects(archive) == ["M 31", "M 33"]
    history = html.unescape((await editor.get(f"/files/{taken_in}", headers=part("history"))).text)
    for told in ("Version 2", "<b>Ann</b>", "192.0.2.7", "a slip", "<del>M 31</del>", "<ins>M 33</ins>"):
        assert told in history, told


@pytest.mark.usefixtures("work")
async def test_every_kind_of_value_is_written_as_such(
    editor: httpx.AsyncClient, archive: Archive, taken_in: str
) -> None:
    wishes = [
        ("0:", "ANUMBER", "42", "number"), ("0:", "AFLOAT", "1.5D3", "number"), ("0:", "ALOGICAL", "t", "logical"),
        ("0:", "NOTHING", "", "undefined"), ("0:", "DIGITS", "0042", "text"), ("0:", "ESO DET X", "1", "number"),
        ("0:", "COMMENT", "written here", "text"), ("1:", "INSECOND", "yes", "text"),
        ("0:GAIN", "", "3", "number"),
    ]  # fmt: skip
    for card, keyword, value, kind in wishes:
        said = await form(archive, card=card, keyword=keyword, value=value, kind=kind, comment="", do="send")
        reply = await editor.post(f"/edit/{taken_in}", data=said)
        assert reply.status_code == 303, html.unescape(reply.text)
    raw = (await archive.version(taken_in)).headers()
    found = dict(values(raw[0]))
    assert {key: found[key] for key in ("ANUMBER", "AFLOAT", "ALOGICAL", "NOTHING", "DIGITS", "ESO DET X")} == {
        "ANUMBER": 42, "AFLOAT": 1500.0, "ALOGICAL": True, "NOTHING": None, "DIGITS": "0042", "ESO DET X": 1,
    }  # fmt: skip
    assert type(found["AFLOAT"]) is float
    assert found["GAIN"] == 3
    assert ("COMMENT", "written here") in values(raw[0])
    assert dict(values(raw[1]))["INSECOND"] == "yes"


@pytest.mark.usefixtures("work")
async def test_comments_are_edited_and_taken_away(
    editor: httpx.AsyncClient, archive: Archive, taken_in: str
) -> None:
    for comment in ("another word", ""):
        said = await form(archive, value="M 31", comment=comment, do="send")
        assert (await editor.post(f"/edit/{taken_in}", data=said)).status_code == 303
        shown = html.unescape((await editor.get(f"/files/{taken_in}", headers=part("cards"))).text)
        assert f"'M 31'</td><td>{comment}</td>" in shown


@pytest.mark.usefixtures("work")
async def test_an_edit_made_on_an_old_page_is_refused_or_merged(
    editor: httpx.AsyncClient, archive: Archive, taken_in: str
) -> None:
    mine = await form(archive, do="send")
    of_gain = await form(archive, card="0:GAIN", value="9.5", kind="number", comment="e/ADU", do="send")
    new = await form(archive, card="0:", keyword="NEWCARD", value="mine", do="send")
    await archive.set(taken_in, OBJECT="M 42", NEWCARD="theirs")
    for said in (mine, new):
        for reply in (
            await editor.post(f"/edit/{taken_in}", data=said | {"do": "judge"}, headers=SCRIPT),
            await editor.post(f"/edit/{taken_in}", data=said, headers=SCRIPT),
        ):
            assert "cards_changed" in reply.text
            assert reply.headers["hx-retarget"] == "#judged"
    plain = await editor.post(f"/edit/{taken_in}", data=mine)
    assert plain.status_code == 409
    assert 'value="M 33"' in plain.text
    # Another card is nobody's business.
    assert (await editor.post(f"/edit/{taken_in}", data=of_gain)).status_code == 303
    assert (await objects(archive))[-1] == "M 42"


@pytest.mark.usefixtures("work")
async def test_a_form_that_is_sent_twice_counts_once(
    editor: httpx.AsyncClient, archive: Archive, taken_in: str
) -> None:
    said = await form(archive, do="send", card="0:", keyword="COMMENT", value="once", key="a key of the page")
    for _ in range(2):
        assert (await editor.post(f"/edit/{taken_in}", data=said)).status_code == 303
    assert len(await archive.edits(taken_in)) == 1


async def test_an_order_that_nobody_carries_out_is_said_to_wait(
    editor: httpx.AsyncClient, archive: Archive, taken_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editing, "PATIENCE_S", 0.0)
    sent = await editor.post(f"/edit/{taken_in}", data=await form(archive, do="send"), headers=SCRIPT)
    assert "no worker has carried it out yet" in html.unescape(sent.text)
    await archive.drain()
    assert await objects(archive) == ["M 31", "M 33"]


@pytest.mark.usefixtures("work")
async def test_edits_are_taken_back(editor: httpx.AsyncClient, archive: Archive, taken_in: str) -> None:
    await editor.post(f"/edit/{taken_in}", data=await form(archive, do="send"))
    (edit,) = await archive.edits(taken_in)
    page = html.unescape((await editor.get(f"/files/{taken_in}")).text)
    assert f"Revert edit {edit}" in page
    reply = await editor.post(
        f"/revert/{taken_in}", data={"edit": edit, "why": "it was right"}, headers=SCRIPT
    )
    assert "The edit has been taken back" in reply.text
    assert reply.headers["hx-trigger"] == "live:frames, reverted"
    assert await objects(archive) == ["M 31", "M 33", "M 31"]
    history = html.unescape((await editor.get(f"/files/{taken_in}", headers=part("history"))).text)
    assert f"taken back by edit {edit + 1}" in history
    assert "it was right" in history
    # By a plain form, the revert is itself taken back.
    plain = await editor.post(f"/revert/{taken_in}", data={"edit": edit + 1})
    assert (plain.status_code, plain.headers["location"]) == (303, f"/files/{taken_in}#history")
    assert (await objects(archive))[-1] == "M 33"


@pytest.mark.usefixtures("work")
async def test_a_revert_that_cannot_be_says_why(
    editor: httpx.AsyncClient, archive: Archive, taken_in: str
) -> None:
    await archive.set(taken_in, OBJECT="M 33")
    await archive.set(taken_in, OBJECT="M 42")
    first = (await archive.edits(taken_in))[0]
    for number, code in ((first, "revert_blocked"), (999, "edit_not_found"), ("x", "edit_not_found")):
        piece = await editor.post(f"/revert/{taken_in}", data={"edit": number}, headers=SCRIPT)
        plain = await editor.post(f"/revert/{taken_in}", data={"edit": number})
        assert code in piece.text
        assert code in plain.text
        assert plain.status_code in (404, 409)
    assert (await objects(archive))[-1] == "M 42"
    # An edit is taken back on the page of its own file.
    await archive.ingest(put(archive.directory / "other.fits", a_file(cards=[("GAIN", 1, "")])))
    other = await editor.post("/revert/other.fits", data={"edit": (await archive.edits(taken_in))[-1]})
    assert other.status_code == 404
    assert "one of another file" in other.text


@pytest.mark.parametrize("action", ["edit", "revert", "verify"])
async def test_pages_of_other_sites_change_nothing(
    editor: httpx.AsyncClient, archive: Archive, taken_in: str, action: str
) -> None:
    for headers in (ELSEWHERE, {"Sec-Fetch-Site": "cross-site"}):
        reply = await editor.post(
            f"/{action}/{taken_in}", data=await form(archive, do="send"), headers=headers
        )
        assert reply.status_code == 403
        assert "cross_site" in reply.text
    assert await archive.unfinished() == 0


@pytest.mark.parametrize("action", ["edit", "revert", "verify"])
async def test_strangers_and_readers_of_nothing_are_sent_to_sign_in(
    browser: httpx.AsyncClient, archive: Archive, taken_in: str, action: str
) -> None:
    stranger = await browser.post(f"/{action}/{taken_in}", data={"card": "0:"})
    assert stranger.status_code == 401
    assert "/sign-in?next=" in stranger.text
    await signed_in(browser, archive, Scope.NOTE)
    assert (await browser.post(f"/{action}/{taken_in}", data={"card": "0:"})).status_code == 403
