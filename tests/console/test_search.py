"""The search page: every field, what is refused and why, pages to the end, what is told to whom."""

from __future__ import annotations

import httpx

from tests.support.archive import Archive, put
from tests.support.headers import a_file


async def test_it_opens(browser: httpx.AsyncClient, archive: Archive) -> None:
    reply = await browser.get("/frames")
    assert reply.status_code == 200, reply.text
    await archive.ingest(put(archive.directory / "new.fits", a_file()))
    reply = await browser.get("/frames")
    assert "new.fits" in reply.text
    reply = await browser.get("/frames?site=&qa_state=Pass&night=")
    assert reply.headers["location"] == "/frames?qa_state=Pass"
    reply = await browser.get("/frames?selection=GMOS-N/Passs&exposure_min_s=x&site=abc")
    assert reply.status_code == 400
    assert "did you mean" in reply.text
