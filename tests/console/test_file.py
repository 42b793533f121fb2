"""The page of a file: what it shows, to whom, and how its history is told."""

from __future__ import annotations

import html
import re
from urllib.parse import quote

import httpx
import pytest

from armillary.access.models import Grantee, Holder, Scope
from armillary.api.http.carriers import SESSION
from tests.support.archive import Archive, put
from tests.support.embargo import sealed
from tests.support.file_pages import (
    HOSTILE,
    NAME,
    SCRIPT,
    editor,
    form,
    part,
    signed_in,
    taken_in,
    work,
)
from tests.support.grants import grant_all
from tests.support.headers import a_card, a_file, a_header, a_primary
from tests.support.rights import a_key

__all__ = ["editor", "taken_in", "work"]


async def test_the_page_tells_what_is_known(
    browser: httpx.AsyncClient, archive: Archive, taken_in: str
) -> None:
    reply = await browser.get(f"/files/{taken_in}")
    version = await archive.version(taken_in)
    assert reply.status_code == 200
    text = html.unescape(reply.text)
    for told in ("'M 31'", "what was observed", "2.5", "'" + "long " * 39 + "long'", "CCD0", "11"):
        assert told in text, told
    assert version.data_md5
    assert version.data_md5 in text
    assert version.data_sha256
    assert version.data_sha256 in text
    assert '<img src="/previews/N20260101S0001.fits"' in reply.text
    assert "Version 1" in text
    assert "curl" in text
    # A stranger sees no form, and is told that there is more to know.
    assert ">Edit<" not in text
    assert "/verify/" not in text
    assert "told to those who may edit" in text
    assert "data-viewer" not in text
    await signed_in(browser, archive, Scope.READ)
    assert (
        'data-viewer data-url="/v1/files/N20260101S0001.fits/tiles"'
        in (await browser.get(f"/files/{taken_in}")).text
    )


async def test_parts_are_what_scripts_ask_for(browser: httpx.AsyncClient, taken_in: str) -> None:
    cards = await browser.get(f"/files/{taken_in}?find=gain", headers=part("cards"))
    assert "<html" not in cards.text
    assert re.findall(r'<th scope="row">(\w+)', cards.text) == ["GAIN"]
    assert "1 of " in cards.text
    history = await browser.get(f"/files/{taken_in}", headers=part("history"))
    (known,) = re.findall(r'name="known" value="([\d-]+)"', history.text)
    again = await browser.get(f"/files/{taken_in}?known={known}", headers=part("history"))
    assert (again.status_code, again.content) == (204, b"")


async def test_finding_looks_into_values_comments_and_continued_strings(
    browser: httpx.AsyncClient, archive: Archive
) -> None:
    text = "a" * 60 + "needle in a continued string" + "b" * 60
    cards = [("FIRST", text, ""), ("SECOND", 1, "a NEEDLE in a comment"), ("THIRD", 2, "")]
    await archive.ingest(put(archive.directory / NAME, a_file(cards=cards)))
    found = html.unescape((await browser.get(f"/files/{NAME}?find=needle", headers=part("cards"))).text)
    assert re.findall(r'<th scope="row">(\w+)', found) == ["FIRST", "SECOND"]
    everywhere = (await browser.get(f"/files/{NAME}?find=extname&hdu=all", headers=part("cards"))).text
    assert "CCD0" in everywhere
    nothing = (await browser.get(f"/files/{NAME}?find=%3Cscript%3E", headers=part("cards"))).text
    assert "No card holds that text" in nothing
    assert "<script>" not in nothing


async def test_odd_cards_are_readable(editor: httpx.AsyncClient, archive: Archive) -> None:
    odd = (
        a_card("HIERARCH ESO DET CHIP1 ID = 'ccd 1' / a long keyword"),
        a_card("UNDEF   =                      / no value"),
        a_card("BROKEN  = o'clock / no value of FITS"),
        a_card("COMMENT one <b>line</b> of text"),
        a_card("TWICE   =                    1"),
        a_card("TWICE   =                    2"),
        b"LATIN   = 'caf\xe9'".ljust(80),
    )
    content = a_primary(*odd)
    await archive.ingest(put(archive.directory / NAME, content))
    escaped = (await editor.get(f"/files/{NAME}")).text
    text = html.unescape(escaped)
    assert ">ESO DET CHIP1 ID</th><td>'ccd 1'</td><td>a long keyword</td>" in text
    assert '<td class="none">undefined</td><td>no value</td>' in text
    assert "o'clock <i>no value of FITS</i></td>" in text
    assert "one &lt;b&gt;line&lt;/b&gt; of text</td>" in escaped
    assert text.count('value="0:TWICE"') == 1
    assert "<i>repeated</i>" in text
    assert "<i>protected</i>" in text
    assert "LATIN   = 'café'" in text
    as_cards = html.unescape((await editor.get(f"/files/{NAME}?view=cards")).text)
    assert "HIERARCH ESO DET CHIP1 ID = 'ccd 1' / a long keyword\n" in as_cards


async def test_texts_of_strangers_are_texts_in_every_field(
    editor: httpx.AsyncClient, archive: Archive
) -> None:
    raw = HOSTILE.encode("utf-8")
    odd = [
        b"OBJECT  = '" + raw + b"' / " + raw,
        b"COMMENT " + raw,
        b"HIERARCH " + raw + b" = 1",
        raw,
        b"X" + raw,
    ]
    extension = a_header(
        "XTENSION= 'IMAGE   '", "BITPIX  = 8", "NAXIS   = 0", "PCOUNT  = 0", "GCOUNT  = 1",
        b"EXTNAME = '<script>alert(1)</script>'".ljust(80),
    )  # fmt: skip
    cards = [one[:80].ljust(80) for one in odd]
    await archive.ingest(put(archive.directory / NAME, a_primary(*cards) + extension))
    await archive.drain()
    pages = [f"/files/{NAME}", f"/files/{NAME}?view=cards", f"/files/{NAME}?hdu=all&find={quote(HOSTILE)}"]
    pages += [
        f"/edit/{NAME}?card=0:OBJECT",
        f"/files/{quote(HOSTILE)}",
        f"/edit/{NAME}?card={quote(HOSTILE)}",
    ]
    for address in pages:
        text = (await editor.get(address)).text
        assert "<script>alert" not in text, address
        assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e]", text), address
    said = await form(archive, card="0:", value=HOSTILE, why=HOSTILE, keyword=HOSTILE)
    reply = await editor.post(f"/edit/{NAME}", data=said)
    assert "<script>alert" not in reply.text


async def test_a_header_of_ten_thousand_cards_stays_usable(
    editor: httpx.AsyncClient, archive: Archive
) -> None:
    cards = [f"KEY{at:05d}= '{'v' * 18}' / a comment of thirty characters" for at in range(10_000)]
    await archive.ingest(put(archive.directory / NAME, a_primary(*cards)))
    first = await editor.get(f"/files/{NAME}")
    assert "10\u202f003 cards" in first.text
    assert len(re.findall(r"<tr id=", first.text)) == 500
    assert len(first.content) < 200_000
    last = await editor.get(f"/files/{NAME}?page=21")
    assert "KEY09999" in last.text
    assert (await editor.get(f"/files/{NAME}?page=999999")).text.count("KEY09999") == last.text.count(
        "KEY09999"
    )
    found = html.unescape((await editor.get(f"/files/{NAME}?find=key07777", headers=part("cards"))).text)
    assert re.findall(r'<th scope="row">(\w+)', found) == ["KEY07777"]


async def test_a_file_with_four_hundred_hdus_stays_usable(
    editor: httpx.AsyncClient, archive: Archive
) -> None:
    def extension(at: int) -> bytes:
        name = f"EXTNAME = 'CHIP{at:03d} '"
        return a_header(
            "XTENSION= 'IMAGE   '", "BITPIX  = 16", "NAXIS   = 0", "PCOUNT  = 0", "GCOUNT  = 1", name
        )  # fmt: skip

    await archive.ingest(put(archive.directory / NAME, a_primary() + b"".join(map(extension, range(1, 400)))))
    first = await editor.get(f"/files/{NAME}")
    assert len(first.content) < 200_000
    assert "CHIP049" in first.text
    assert "CHIP050" not in first.text
    (more,) = re.findall(r'id="more-hdus" hx-get="([^"]+)"', first.text)
    rows = html.unescape((await editor.get(html.unescape(more), headers=part("more-hdus"))).text)
    assert re.findall(r"CHIP\d+", rows) == [f"CHIP{at:03d}" for at in range(50, 100)]
    chosen = await editor.get(f"/files/{NAME}?hdu=399")
    assert "'CHIP399'" in html.unescape(chosen.text)
    by_name = await editor.get(f"/files/{NAME}?hdu=CHIP007", headers=part("cards"))
    assert "'CHIP007'" in html.unescape(by_name.text)
    everywhere = await editor.get(f"/files/{NAME}?hdu=all&find=chip123", headers=part("cards"))
    assert re.findall(r'<tr id="(c[\d-]+)"', everywhere.text) == ["c123-5"]
    assert (await editor.get(f"/files/{NAME}?hdu=400")).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["a b/c d.fits", "x#y?.fits", "100%.fits", "ümlaut/é😀.fits", 'it\'s "q" & <i>.fits', "v1;x=1/a.fits"],
)
async def test_every_name_leads_to_its_page(editor: httpx.AsyncClient, archive: Archive, path: str) -> None:
    put(archive.directory / "root" / path, a_file())
    await archive.ingest(archive.directory / "root", in_place=True)
    await archive.drain()
    for name in (path, path.rpartition("/")[2]):
        reply = await editor.get(f"/files/{quote(name)}")
        assert reply.status_code == 200, name
        assert f"<h1>{path.rpartition('/')[2]}</h1>" in html.unescape(reply.text)
        for address in set(
            re.findall(r'(?:href|src|action)="(/(?:files|previews|edit|v1)/[^"#]+)', reply.text)
        ):
            if not re.search("/(diff|tiles)", address):
                followed = await editor.get(html.unescape(address))
                assert followed.status_code == 200, address


async def test_an_ambiguous_name_leads_to_each_path(browser: httpx.AsyncClient, archive: Archive) -> None:
    for night, value in (("night1", 1), ("night2", 2)):
        put(archive.directory / "root" / night / "Light.fits", a_file(cards=[("GAIN", value, "")]))
    await archive.ingest(archive.directory / "root", in_place=True)
    reply = await browser.get("/files/Light.fits")
    assert reply.status_code == 409
    links = re.findall(r'<li><a href="(/files/[^"]+)"', reply.text)
    assert len(links) == 2
    for link, value in zip(links, ("1", "2"), strict=True):
        shown = await browser.get(link)
        assert shown.status_code == 200
        assert f'>GAIN</th><td class="number">{value}</td>' in shown.text


async def test_hidden_and_absent_files_have_one_page(browser: httpx.AsyncClient, archive: Archive) -> None:
    for address in ("/files/none.fits", "/previews/none.fits"):
        reply = await browser.get(address)
        assert reply.status_code == 404
        assert "There is nothing at this address that you may see" in reply.text


async def test_files_of_other_media_have_facts_and_no_headers(
    editor: httpx.AsyncClient, archive: Archive
) -> None:
    await archive.ingest(put(archive.directory / "root" / "log.txt", b"a quiet night\n"), in_place=True)
    await archive.drain()
    reply = await editor.get("/files/log.txt")
    assert reply.status_code == 200
    assert "14 B" in reply.text
    assert 'id="headers"' not in reply.text
    refused = await editor.post("/edit/log.txt", data={"card": "0:", "keyword": "OBJECT", "value": "x"})
    assert refused.status_code in (400, 422)
    assert "no_headers" in refused.text or "item_refused" in refused.text


async def test_the_embargo_is_told_and_kept(browser: httpx.AsyncClient, archive: Archive) -> None:
    one = sealed("proprietary", "")
    await archive.ingest(put(archive.directory / one.stored, one.content()))
    await archive.drain()
    address = f"/files/{one.name}"
    stranger = html.unescape((await browser.get(address)).text)
    assert "not public" in stranger
    assert f'<time datetime="{one.release}"' in stranger
    assert f"program {one.program}" in stranger
    assert "unless somebody changes its keyword RELEASE" in stranger
    assert not [secret for secret in one.secrets if secret in stranger]
    assert "The headers tell a position that is not public yet" in stranger
    assert "/content" not in stranger
    assert "embargoed" not in (await browser.get(f"/previews/{one.name}")).headers.get("content-type", "")
    for hidden in ("cards", "difference"):
        piece = await browser.get(f"{address}?to=1", headers=part(hidden))
        assert not [secret for secret in one.secrets if secret in piece.text]
    secret = await a_key(archive, "investigator")
    async with archive.context.database.begin() as connection:
        grantee = Grantee(Holder.TOKEN, "investigator")
        await grant_all(connection, grantee, {"program": one.program}, now=archive.context.clock.now())
    browser.cookies.set(SESSION, secret)
    bearer = html.unescape((await browser.get(address)).text)
    assert one.target in bearer
    assert "by a grant for its program" in bearer
    assert "/content" in bearer
    await signed_in(browser, archive, Scope.ADMIN, name="head of data")
    admin = html.unescape((await browser.get(address)).text)
    assert one.target in admin
    assert "as an administrator" in admin


async def test_any_two_versions_are_compared_side_by_side(
    editor: httpx.AsyncClient, archive: Archive, taken_in: str
) -> None:
    await archive.set(taken_in, OBJECT="M 33", ADDED=1)
    await archive.set(taken_in, OBJECT="M 42")
    one, two, three = [version.id for version in (await archive.history(taken_in)).versions]

    async def compared(old: int, new: int) -> list[tuple[str, str]]:
        reply = await editor.get(f"/files/{taken_in}?from={old}&to={new}")
        assert reply.status_code == 200
        cell = r"<td>(?:<(?:del|ins)>(.*?)</(?:del|ins)>)?</td>"
        rows = re.findall(rf'<td class="number">0</td>{cell}{cell}</tr>', html.unescape(reply.text))
        assert f'value="{old}" checked' in reply.text
        return [row for row in rows if not row[0].startswith("CHECKSUM")]

    def card(text: str) -> str:
        return f"OBJECT  = '{text}    '           / what was observed"

    assert await compared(two, three) == [(card("M 33"), card("M 42"))]
    (changed, added) = await compared(one, three)
    assert changed == (card("M 31"), card("M 42"))
    assert added == ("", "ADDED   =                    1")
    assert await compared(three, one) == [(card("M 42"), card("M 31")), (added[1], "")]
    same = await editor.get(f"/files/{taken_in}?from={one}&to={one}")
    assert "Their headers are the same" in html.unescape(same.text)
    assert (await editor.get(f"/files/{taken_in}?from={one}&to=99999")).status_code == 404
    old = html.unescape((await editor.get(f"/files/{taken_in}?version={one}", headers=part("cards"))).text)
    assert "of version 1" in old
    assert "'M 31'" in old
    assert 'value="0:OBJECT"' not in old


async def test_long_histories_come_in_parts(
    editor: httpx.AsyncClient, archive: Archive, taken_in: str
) -> None:
    for number in range(24):
        await archive.set(taken_in, COUNTED=number)
    first = html.unescape((await editor.get(f"/files/{taken_in}")).text)
    shown = list(map(int, re.findall(r"<b>Version (\d+)</b>", first)))
    assert shown == list(range(25, 5, -1))
    (older,) = re.findall(r'<a href="([^"]+)#history">Older versions', first)
    second = html.unescape((await editor.get(html.unescape(older))).text)
    assert list(map(int, re.findall(r"<b>Version (\d+)</b>", second))) == list(range(5, 0, -1))
    edits = [int(one) for text in (first, second) for one in re.findall(r"Revert edit (\d+)", text)]
    assert edits == sorted(await archive.edits(taken_in), reverse=True)


@pytest.mark.usefixtures("work")
async def test_failed_edits_are_in_the_history(
    editor: httpx.AsyncClient, archive: Archive, taken_in: str
) -> None:
    said = await form(archive, do="send")
    await archive.set(taken_in, OBJECT="M 42")
    await editor.post(f"/edit/{taken_in}", data=said)
    history = html.unescape((await editor.get(f"/files/{taken_in}", headers=part("history"))).text)
    assert "failed" in history
    assert "cards_changed" in history


async def test_the_history_is_told_to_whom_it_may_be(
    browser: httpx.AsyncClient, archive: Archive, taken_in: str
) -> None:
    await archive.edit(taken_in, {"generic": {"OBJECT": "M 33"}})
    for scopes, told in (((), False), ((Scope.NOTE,), False), ((Scope.READ,), True), ((Scope.EDIT,), True)):
        await signed_in(browser, archive, *scopes, name=f"one with {scopes}")
        text = html.unescape((await browser.get(f"/files/{taken_in}")).text)
        assert ("a test" in text) is told
        assert ("<b>observer</b>" in text) is told
        assert "Version 2" in text


async def test_stored_bytes_are_verified(editor: httpx.AsyncClient, archive: Archive, taken_in: str) -> None:
    sound = await editor.post(f"/verify/{taken_in}", headers=SCRIPT)
    assert "every byte is as recorded" in sound.text
    path = await archive.path(taken_in)
    content = bytearray(path.read_bytes())
    content[-2880] ^= 1
    path.write_bytes(content)
    plain = await editor.post(f"/verify/{taken_in}")
    assert plain.status_code == 200
    assert "restore the file from a copy" in plain.text
    path.unlink()
    gone = await editor.post(f"/verify/{taken_in}", headers=SCRIPT)
    assert "the file is gone" in gone.text
    assert str(archive.directory) not in gone.text + plain.text


async def test_frames_of_a_night_lead_to_each_other(browser: httpx.AsyncClient, archive: Archive) -> None:
    for number in (1, 2, 3):
        cards = [("INSTRUME", "CAM", ""), ("DATE-OBS", f"2026-01-01T05:0{number}:00", "")]
        await archive.ingest(put(archive.directory / f"n{number}.fits", a_file(cards=cards)))
    text = html.unescape((await browser.get("/files/n2.fits")).text)
    assert '<a rel="prev" href="/files/n1.fits">' in text
    assert '<a rel="next" href="/files/n3.fits">' in text
