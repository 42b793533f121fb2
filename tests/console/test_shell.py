"""What all pages have: who gets them, what they may load, and how they show texts of strangers."""

from __future__ import annotations

import re

import httpx
import pytest

from armillary.api.http.policy import walk
from armillary.app import create_app
from armillary.console.assets import STATIC, find
from armillary.console.rendering import ENVIRONMENT
from tests.support.archive import Archive, put
from tests.support.headers import a_file

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202egnp.exe\u0007"


async def test_browsers_get_pages_and_programs_what_they_got(browser: httpx.AsyncClient) -> None:
    shown = await browser.get("/")
    told = await browser.get("/", headers={"Accept": "*/*"})
    old = await browser.get("/", headers={"Accept": "application/json"})
    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    assert "Overview · Armillary" in shown.text
    assert told.headers["content-type"].startswith("text/plain")
    assert "/v1/frames" in told.text
    assert old.headers["content-type"].startswith("text/plain")
    assert old.text != told.text
    assert "Accept" in shown.headers["vary"]


async def test_pages_load_nothing_that_is_written_into_them_or_lies_elsewhere(
    browser: httpx.AsyncClient,
) -> None:
    reply = await browser.get("/")
    policy = dict(one.split(" ", 1) for one in reply.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|https?://", reply.text)


def test_templates_hold_no_script_and_no_style() -> None:
    assert ENVIRONMENT.list_templates()
    for name in ENVIRONMENT.list_templates():
        source = ENVIRONMENT.loader.get_source(ENVIRONMENT, name)[0]  # type: ignore[union-attr]  # the environment has a loader
        assert not re.search(
            r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|\bhx-on\b|\|\s*safe", source
        ), name


async def test_assets_are_kept_by_their_content(browser: httpx.AsyncClient) -> None:
    shown = (await browser.get("/")).text
    addresses = set(re.findall(r'"(/assets/[^"]+)"', shown))
    assert len(addresses) >= 4
    for address in addresses:
        reply = await browser.get(address)
        assert reply.status_code == 200
        assert "immutable" in reply.headers["cache-control"]
    stale = await browser.get("/assets/000000000000/armillary.css")
    assert stale.content == find("armillary.css").content
    assert "immutable" not in stale.headers["cache-control"]


@pytest.mark.parametrize(
    "name", ["../__init__.py", "vendor/../../rendering.py", "none.css", "vendor/README.md", "vendor"]
)
async def test_no_other_file_is_an_asset(browser: httpx.AsyncClient, name: str) -> None:
    reply = await browser.get(f"/assets/x/{name.replace('..', '%2e%2e')}")
    assert reply.status_code == 404


def test_every_file_of_others_bears_its_licence() -> None:
    listed = (STATIC / "vendor" / "README.md").read_text()
    for file in (STATIC / "vendor").iterdir():
        assert f"`{file.name}`" in listed or file.name == "README.md"


async def test_texts_of_strangers_are_texts(browser: httpx.AsyncClient) -> None:
    reply = await browser.get("/sign-in", params={"next": f"/{HOSTILE}"})
    failed = await browser.get("/live", params={"on": HOSTILE[:40]})
    assert failed.status_code == 400
    for text in (reply.text, failed.text):
        assert "<script>alert" not in text
        assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e]", text)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;⟨001B⟩[31m" in failed.text


async def test_failures_are_pages_that_say_what_to_do(browser: httpx.AsyncClient) -> None:
    reply = await browser.get("/thumbnails/none.fits")
    assert reply.status_code == 404
    assert reply.headers["content-type"].startswith("text/html")
    assert "Search the archive" in reply.text
    assert "not_found" in reply.text
    piece = await browser.get("/thumbnails/none.fits", headers={"HX-Request": "true"})
    assert piece.status_code == 404
    assert "<html" not in piece.text
    assert 'class="notice bad"' in piece.text


async def test_an_address_that_there_is_not_is_a_page_for_people_alone(browser: httpx.AsyncClient) -> None:
    for path in ("/no-such-page", "/v1/none", "/api/none/at/all", "/update_headers/x/y/z"):
        shown = await browser.get(path)
        told = await browser.get(path, headers={"Accept": "*/*"})
        assert shown.status_code == told.status_code
        if shown.status_code == 404:
            assert "Search the archive" in shown.text, path
        assert "<html" not in told.text, path
    assert (await browser.get("/no-such-page")).status_code == 404


async def test_the_wall_shows_what_came_last(browser: httpx.AsyncClient, archive: Archive) -> None:
    assert "The archive has no frames yet" in (await browser.get("/")).text
    await archive.ingest(put(archive.directory / "new.fits", a_file()))
    whole = (await browser.get("/")).text
    # Scripts take anything, as any program does.
    piece = (await browser.get("/", headers={"HX-Request": "true", "Accept": "*/*"})).text
    assert "new.fits" in whole
    assert "new.fits" in piece
    assert "<html" not in piece


def test_pages_are_no_part_of_the_interface_for_programs() -> None:
    app = create_app()
    pages = [one for one in walk(app.routes) if app.dialects.of(one.path).name == "console"]  # type: ignore[attr-defined]  # of routes
    assert pages
    assert not {one.path for one in pages} & set(app.openapi()["paths"])  # type: ignore[attr-defined]  # of routes
