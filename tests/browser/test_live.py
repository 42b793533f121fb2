"""Pages that fill while one looks at them, and that come back by themselves when the server does."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.support.browsing import Watch
from tests.support.kills import family, kill
from tests.support.running import Running

NOTED = """() => {
  const notice = document.getElementById('connection');
  window.noted = [];
  new MutationObserver(() => window.noted.push(!notice.hidden)).observe(notice, {attributes: true});
}"""
"""Writes down when the page says that its connection is interrupted: it may say so for a moment only."""


def test_the_overview_fills_while_files_come_in(page: Page, a_file: Callable[..., str]) -> None:
    page.goto("/")
    with page.expect_response("**/live*"):
        page.reload()
    name = a_file()
    expect(page.get_by_role("link", name=name)).to_be_visible()


def test_a_page_says_that_the_server_is_away_and_comes_back_with_it(
    page: Page, watch: Watch, server: Running, a_file: Callable[..., str]
) -> None:
    with page.expect_response("**/live*"):
        page.goto("/")
    page.evaluate(NOTED)
    (web,) = [one for one in family(set(), server.settings.data) if " serve " in one.command]
    kill(web.pid)
    page.wait_for_function("() => window.noted.includes(true) && window.noted.at(-1) === false")
    expect(page.locator("#connection")).to_be_hidden()
    name = a_file()
    expect(page.get_by_role("link", name=name)).to_be_visible()
    assert page.evaluate("window.noted.length") >= 2, "the page was not loaded anew"
    watch.allow("console error: .*/live")
    watch.allow("failed: GET .*/live")
