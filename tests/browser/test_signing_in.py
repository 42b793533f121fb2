"""Signing in and out, and forms that pages of other sites send."""

from __future__ import annotations

import re

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Opener, Signer, sign_in
from tests.support.browsing import Watch, axe
from tests.support.running import Running


def test_a_token_signs_in_where_one_was_and_out_again(page: Page, bearer: str) -> None:
    page.goto("/docs/errors?q=embargo")
    page.get_by_role("link", name="Sign in").click()
    axe(page)
    page.get_by_label("Token").fill(bearer)
    page.keyboard.press("Enter")
    page.wait_for_url("**/docs/errors?q=embargo")
    expect(page.get_by_text("observer", exact=True)).to_be_visible()
    (cookie,) = page.context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    assert page.context.cookies() == []


def test_a_wrong_token_is_refused_at_its_field(page: Page, watch: Watch) -> None:
    page.goto("/sign-in")
    page.get_by_label("Token").fill("arm_wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Token")).to_have_accessible_description(re.compile("Nobody is known"))
    axe(page)
    watch.allow("console error: .* 401")


def elsewhere(page: Page, watch: Watch, body: str) -> None:
    """Open a page of another origin that the cookies of the archive go along from: another port of its host."""
    address = "http://127.0.0.1:1/page"

    def answer(route: Route) -> None:
        route.fulfill(content_type="text/html", body=f"<link rel=icon href='data:,'>{body}")

    page.route(address, answer)
    page.goto(address)
    watch.allow(f"another host: {address}")


def test_a_form_of_another_site_changes_nothing(
    server: Running, open_as: Signer, watch: Watch, admin: str
) -> None:
    page = open_as(admin)
    form = f"<form method=post action='{server.url}/tokens'><input name=name value=Eve>"
    elsewhere(page, watch, f"{form}<input name=scope value=admin><button>Win</button></form>")
    with page.expect_request(f"{server.url}/tokens") as sent:
        page.get_by_role("button", name="Win").click()
    assert "armillary_session" in sent.value.all_headers().get("cookie", ""), (
        "the browser sent the cookie along"
    )
    expect(page.get_by_role("heading", name="This form came from")).to_have_count(0)
    expect(page.get_by_text("cross_site")).to_be_visible()
    page.goto("/tokens")
    expect(page.get_by_role("rowheader", name="archive scientist")).to_be_visible()
    expect(page.get_by_role("rowheader", name="Eve")).to_have_count(0)
    watch.allow("console error: .* 403")


def test_a_token_is_made_shown_once_used_and_revoked(
    open_as: Signer, open_page: Opener, watch: Watch, admin: str
) -> None:
    page = open_as(admin)
    page.goto("/")
    page.get_by_role("link", name="Tokens").click()
    page.get_by_label("Name: who uses it").fill("Ann")
    page.get_by_label("edit changes headers").check()
    page.get_by_role("button", name="Create").click()
    secret = page.locator("#secret").inner_text()
    axe(page)
    page.get_by_role("link", name="Tokens").click()
    expect(page.get_by_text(secret)).to_have_count(0)
    ann = open_page()
    sign_in(ann, secret)
    ann.goto("/tokens")
    expect(ann.get_by_text("scope_missing")).to_be_visible()
    watch.allow("console error: .* 403")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="Ann"))
    row.get_by_text("Revoke", exact=True).click()
    page.get_by_role("button", name="Revoke Ann for good").click()
    expect(page.get_by_role("button", name="Revoke Ann for good")).to_have_count(0)
    ann.goto("/")
    expect(ann.get_by_role("link", name="Sign in")).to_be_visible()
