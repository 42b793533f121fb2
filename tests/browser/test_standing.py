"""The overview and the status in a browser: bars and curves, alive, for everybody and without a script."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Opener, Signer
from tests.support.browsing import PHONE, WIDE, axe
from tests.support.running import Running

SIZES = {"wide": WIDE, "phone": PHONE}


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", ["/", "/?by=observation_type", "/status", "/status?hours=1"])
def test_pages_are_for_everybody(open_as: Signer, admin: str, path: str, size: str) -> None:
    page = open_as(admin, size=SIZES[size])
    page.goto(path)
    if "status" in path:
        # Not by an expression for which the page is asked again and again: its rules let nobody evaluate texts.
        page.locator(".plot.alive .uplot").nth(6).wait_for(state="attached")
    axe(page)
    assert fits(page)


def test_nights_grow_while_files_come_in(page: Page, a_file: Callable[..., str]) -> None:
    with page.expect_response("**/live*"):
        page.goto("/")
    night = page.locator("#nights")
    a_file(**{"DATE-OBS": "2026-01-07"})
    expect(night.get_by_role("link", name="2026-01-07")).to_be_visible()
    expect(night.get_by_role("img", name="GMOS-N 1")).to_be_visible()
    # Not by a click: the digests of the frame come next, and a part that is replaced takes the click along.
    expect(night.get_by_role("link", name="2026-01-07")).to_have_attribute("href", "/frames?night=2026-01-07")
    page.goto("/frames?night=2026-01-07")
    expect(page.locator("#count")).to_have_text("1 frame")


def test_parts_of_nights_are_an_address(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="type", exact=True).click()
    page.wait_for_url("**/?by=observation_type")
    expect(page.locator("#nights .legend")).to_contain_text("OBJECT")


def test_curves_tell_their_values_at_the_pointer(open_as: Signer, admin: str) -> None:
    page = open_as(admin)
    page.goto("/status?hours=1")
    plot = page.locator(".plot").nth(3)
    over = plot.locator(".u-over")
    expect(over).to_be_visible()
    # A sample was taken when the worker began; the pointer takes the nearest one.
    over.hover()
    expect(plot.locator(".u-legend")).to_contain_text("alive")
    expect(plot.locator(".u-legend .u-value").last).not_to_have_text("–")


def test_curves_are_there_without_a_script(open_page: Opener, server: Running, admin: str) -> None:
    page = open_page(java_script_enabled=False)
    page.goto("/sign-in?next=/status")
    page.get_by_label("Token").fill(admin)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.locator(".plot > svg")).to_have_count(7)
    expect(page.get_by_role("heading", name="Last failures")).to_be_visible()
