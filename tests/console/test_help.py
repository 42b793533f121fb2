"""The reference as pages: everything is there, can be found, and leads to itself."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import quote

import httpx
import pytest

from armillary.app import create_app
from armillary.console import openapi, reference


async def test_every_error_code_has_an_anchor_that_pages_about_failures_lead_to(
    browser: httpx.AsyncClient,
) -> None:
    shown = (await browser.get("/docs/errors")).text
    anchors = re.findall(r'<tr id="([^"]+)"', shown)
    assert anchors == [one.code for one in reference.error_codes()]
    failed = (await browser.get("/docs/none")).text
    (place,) = re.findall(r'href="/docs/errors#([^"]+)"', failed)
    assert place in anchors


async def test_every_command_route_and_setting_is_there(browser: httpx.AsyncClient) -> None:
    commands = unescape((await browser.get("/docs/commands")).text)
    assert all(f"<code>{one.name}</code>" in commands for one in reference.commands())
    settings = unescape((await browser.get("/docs/settings")).text)
    assert all(one.variable in settings and one.default in settings for one in reference.settings())
    routes = unescape((await browser.get("/docs/routes")).text)
    told = reference.routes(create_app().routes)
    assert len(told) > 150
    assert all(f"<code>{one.method} {one.path}</code>" in routes for one in told)


async def test_every_operation_of_the_interface_has_a_page(browser: httpx.AsyncClient) -> None:
    listed = (await browser.get("/docs/api")).text
    told = list(openapi.summaries(create_app().openapi()))
    assert len(told) > 100
    for method, path, _ in told:
        address = f"/docs/api/{method}{quote(path)}"
        assert f'href="{address}"' in listed
        reply = await browser.get(address)
        assert reply.status_code == 200, address
        assert len(reply.content) < 200_000
        models = set(re.findall(r'href="#(model-[^"]+)"', reply.text))
        assert models <= set(re.findall(r'id="(model-[^"]+)"', reply.text))


async def test_words_are_found_in_all_of_the_help_and_in_a_part_of_it(browser: httpx.AsyncClient) -> None:
    everywhere = (await browser.get("/docs", params={"q": "TOKEN  create"})).text
    assert "armillary token create" in everywhere
    part = (await browser.get("/docs/errors", params={"q": "embargoed"})).text
    assert re.findall(r'<tr id="([^"]+)"', part)
    assert "armillary token create" not in part
    nothing = (await browser.get("/docs/errors", params={"q": "<b>no such words</b>"})).text
    assert "Nothing here has the words “&lt;b&gt;no such words&lt;/b&gt;”" in nothing


async def test_what_is_found_in_many_places_leads_to_all_of_it(browser: httpx.AsyncClient) -> None:
    found = (await browser.get("/docs", params={"q": "a"})).text
    assert 'href="/docs/settings?q=a"' in found
    assert len(re.findall(r"<tr", found)) < 120


async def test_a_script_gets_what_was_found_alone(browser: httpx.AsyncClient) -> None:
    reply = await browser.get("/docs", params={"q": "token"}, headers={"HX-Request": "true"})
    assert "<html" not in reply.text
    assert "armillary token create" in reply.text


@pytest.mark.parametrize("place", ["none", "api/GET/none", "api/BREW/v1/frames", "api/GET/%3Cscript%3E"])
async def test_there_is_no_help_about_what_is_not_there(browser: httpx.AsyncClient, place: str) -> None:
    reply = await browser.get(f"/docs/{place}")
    assert reply.status_code == 404
    assert "<script>" not in reply.text
    assert (await browser.get("/docs", params={"q": "x" * 201})).status_code == 422
