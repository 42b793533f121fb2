"""What watches over pages notices what no page may do."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Opener
from tests.support.browsing import Watch, axe
from tests.support.running import Running

HEAD = "<!doctype html><html lang='en'><title>t</title><link rel='icon' href='data:,'>"


def show(page: Page, inner: str = "") -> None:
    """Show a page that no server has."""
    page.route("**/blank", lambda route: route.fulfill(content_type="text/html", body=f"{HEAD}{inner}"))
    page.goto("/blank")


def test_a_page_that_misbehaves_is_noticed(server: Running, open_page: Opener, watch: Watch) -> None:
    page, inner = open_page(), Watch(server.url)
    inner.over(page)
    show(page)
    page.evaluate("console.warn('beware')")
    with pytest.raises(AssertionError, match="console warning: beware"):
        inner.judge()
    watch.allow("console warning: beware")


def test_another_host_and_an_error_and_a_lost_request_are_noticed(page: Page, watch: Watch) -> None:
    show(page)
    page.evaluate("setTimeout(() => { throw new Error('broken') })")
    page.evaluate("fetch('http://192.0.2.1:9/picture').catch(() => 0)")
    page.evaluate("fetch('/v1/no-such-route')")
    watch.allow("error: broken")
    watch.allow("another host: http://192.0.2.1:9/picture")
    watch.allow("failed: GET http://192.0.2.1:9/picture")
    watch.allow("console error: Failed to load resource: .* 404")
    watch.allow("console error: .*192.0.2.1")


def test_what_was_allowed_has_to_happen() -> None:
    inner = Watch("http://archive")
    inner.allow("no such thing")
    with pytest.raises(AssertionError, match="did not happen: no such thing"):
        inner.judge()


def test_a_page_that_some_people_cannot_use_is_noticed(page: Page) -> None:
    show(page, "<main><h1>A page</h1><img src='data:,'></main>")
    with pytest.raises(AssertionError, match="image-alt"):
        axe(page)
    page.evaluate("document.querySelector('img').alt = ''")
    axe(page)
