"""``/xmlfilelist`` as scripts parse it, and the old pages for people, which lead to those in their place."""

from __future__ import annotations

from xml.dom.minidom import parseString

import pytest

from armillary.api.gemini.pages import PAGES
from tests.api.selecting.conftest import NAMES, Lists

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_scripts_read_files_from_xml(lists: Lists) -> None:
    reply = await lists.get("/xmlfilelist/canonical/present/20260101/GMOS-N")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/xml")
    assert reply.headers["armillary-truncated"] == "false"
    files = parseString(reply.content).getElementsByTagName("file")
    shown = (await lists.get("/jsonfilelist/canonical/present/20260101/GMOS-N")).json()
    assert len(files) == 4
    for file, element in zip(files, shown, strict=True):
        for key in ("filename", "size", "md5", "lastmod"):
            (found,) = file.getElementsByTagName(key)
            assert found.firstChild is not None
            assert found.firstChild.nodeValue == str(element[key])


async def test_the_list_of_xml_obeys_as_the_others_do(lists: Lists) -> None:
    everything = await lists.get("/xmlfilelist?orderby=name_desc&orderby=x")
    names = [
        one.firstChild.nodeValue for one in parseString(everything.content).getElementsByTagName("filename")
    ]
    assert [name.removesuffix(".bz2").removesuffix(".gz") for name in names] == NAMES[::-1]
    assert everything.headers["armillary-unrecognised"] == "orderby=x"
    nothing = await lists.get("/xmlfilelist/20100101")
    assert parseString(nothing.content).getElementsByTagName("file") == []
    refused = await lists.get("/xmlfilelist/nonsense")
    assert (refused.status_code, refused.json()["unrecognised"]) == (400, ["nonsense"])


@pytest.mark.parametrize("page", PAGES)
async def test_old_pages_lead_to_the_search_with_their_selection(lists: Lists, page: str) -> None:
    for path in (page, f"{page}/"):
        reply = await lists.get(path)
        assert (reply.status_code, reply.headers["location"]) == (303, "/frames")
    reply = await lists.get(f"{page}/RAW/notengineering/GMOS-N/20260101")
    assert reply.headers["location"] == "/frames?selection=RAW%2Fnotengineering%2FGMOS-N%2F20260101"
    assert (await lists.get(reply.headers["location"])).status_code == 200
    reply = await lists.get(f"{page}/RAW/nonsense")
    shown = await lists.get(reply.headers["location"])
    # What the search does not know is not left out in silence.
    assert shown.status_code == 400
    assert "nonsense" in shown.text
