"""Help in a browser: found as one types, by an address that can be kept, and without scripts."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import Opener
from tests.support.browsing import axe


def test_words_are_found_while_one_types(page: Page) -> None:
    page.goto("/docs/errors")
    page.get_by_label("Find words here").press_sequentially("embargo")
    expect(page.get_by_role("row").filter(has_text="file_embargoed")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="already_running")).to_have_count(0)
    page.wait_for_url("**/docs/errors?q=embargo")
    page.reload()
    expect(page.get_by_role("row").filter(has_text="already_running")).to_have_count(0)
    axe(page)


def test_all_of_it_can_be_read_and_searched_without_scripts(open_page: Opener) -> None:
    page = open_page(java_script_enabled=False)
    page.goto("/")
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Help").click()
    page.get_by_label("Find words in all of it").fill("GET /v1/frames")
    page.get_by_role("button", name="Find", exact=True).click()
    page.get_by_role("link", name="GET /v1/frames", exact=True).click()
    expect(page.get_by_role("heading", name="Parameters")).to_be_visible()
    page.get_by_role("link", name="Frames", exact=True).first.click()
    expect(page.locator("#model-Frames")).to_be_in_viewport()


def test_everybody_can_use_every_page_of_it(page: Page) -> None:
    for place in ("/docs", "/docs?q=token", "/docs/api/POST/v1/changesets", "/docs/settings?q=limits"):
        page.goto(place)
        axe(page)
