"""Signing in with a token, staying so, and signing out; what pages of other sites try."""

from __future__ import annotations

import httpx
import pytest

from armillary.access.service import revoke
from armillary.api.http.carriers import SESSION
from armillary.console.sessions import local
from tests.support.archive import Archive
from tests.support.rights import a_key

ELSEWHERE = {"Origin": "https://elsewhere.example"}


async def sign_in(
    browser: httpx.AsyncClient, secret: str, following: str = "/", **headers: str
) -> httpx.Response:
    """Send the form."""
    return await browser.post("/sign-in", data={"token": secret, "next": following}, headers=headers)


async def test_a_token_signs_in_until_it_signs_out(browser: httpx.AsyncClient, archive: Archive) -> None:
    secret = await a_key(archive, "observer at night", "edit")
    reply = await sign_in(browser, f" {secret}\n", "/status?hours=3")
    assert (reply.status_code, reply.headers["location"]) == (303, "/status?hours=3")
    cookie = reply.headers["set-cookie"].lower()
    assert cookie.startswith(SESSION)
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "expires" not in cookie
    shown = await browser.get("/")
    assert "observer at night" in shown.text
    assert "private" in shown.headers["cache-control"]
    left = await browser.post("/sign-out")
    assert left.status_code == 303
    assert SESSION not in browser.cookies
    assert "observer at night" not in (await browser.get("/")).text


async def test_the_cookie_is_secure_behind_tls(browser: httpx.AsyncClient, archive: Archive) -> None:
    secret = await a_key(archive, "one", "read")
    data = {"token": secret, "next": "/"}
    assert "secure" not in (await browser.post("/sign-in", data=data)).headers["set-cookie"].lower()
    reply = await browser.post("https://archive/sign-in", data=data)
    assert "secure" in reply.headers["set-cookie"].lower()


async def test_a_revoked_token_counts_no_more(browser: httpx.AsyncClient, archive: Archive) -> None:
    await sign_in(browser, await a_key(archive, "gone soon", "read"))
    assert "gone soon" in (await browser.get("/")).text
    async with archive.context.database.begin() as connection:
        await revoke(connection, "gone soon", now=archive.context.clock.now())
    for _ in range(100):
        if "gone soon" not in (shown := await browser.get("/")).text:
            break
    assert shown.status_code == 200
    assert "gone soon" not in shown.text


@pytest.mark.parametrize("secret", ["", "arm_none", "a.b.c", "ä" * 20])
async def test_an_unknown_token_is_refused(browser: httpx.AsyncClient, secret: str) -> None:
    reply = await sign_in(browser, secret)
    assert reply.status_code == 401
    assert "Nobody is known by that token" in reply.text
    assert "set-cookie" not in reply.headers


@pytest.mark.parametrize(
    "address",
    [
        "https://elsewhere.example/",
        "//elsewhere.example",
        "/\\elsewhere.example",
        "\\/x",
        "javascript:alert(1)",
        "/\t/x",
        "",
    ],
)
async def test_signing_in_leads_nowhere_else(
    browser: httpx.AsyncClient, archive: Archive, address: str
) -> None:
    reply = await sign_in(browser, await a_key(archive, "one", "read"), address)
    assert reply.headers["location"] == "/"
    assert local("/frames?night=20260101#top") == "/frames?night=20260101#top"


async def test_pages_of_other_sites_sign_nobody_in_or_out(
    browser: httpx.AsyncClient, archive: Archive
) -> None:
    secret = await a_key(archive, "one", "read")
    for headers in (ELSEWHERE, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        reply = await browser.post("/sign-in", data={"token": secret, "next": "/"}, headers=headers)
        assert reply.status_code == 403
        assert "set-cookie" not in reply.headers
    await sign_in(browser, secret)
    reply = await browser.post("/sign-out", headers=ELSEWHERE)
    assert (reply.status_code, reply.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert "cross_site" in reply.text
    assert SESSION in browser.cookies


async def test_a_body_that_is_no_form_is_refused(browser: httpx.AsyncClient) -> None:
    for body in (b"token=%FF", b"\xff\xfe", b"&".join([b"a=1"] * 2000)):
        reply = await browser.post("/sign-in", content=body)
        assert (reply.status_code, "bad_request" in reply.text) == (400, True)
