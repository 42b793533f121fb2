"""What holds for every page: everybody can use it, at any width, in light and dark, and without scripts."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Signer
from tests.support.browsing import PHONE, Watch, axe

FILE = "N20260101S0010.fits"
PAGES = {
    "/": "Overview",
    "/frames": "Search",
    "/frames?instrument=GMOS-N&view=wall": "Search",
    f"/files/{FILE}": FILE,
    "/nights": "Nights",
    "/nights/gemini-north/2026-01-01": "gemini-north 2026-01-01",
    "/work": "Work",
    "/status": "Status",
    "/tokens": "Tokens",
    "/docs": "Help",
    "/docs/settings": "Settings",
}
"""Pages, and how their titles begin."""


@pytest.mark.parametrize("address", PAGES)
def test_everybody_can_use_it(open_as: Signer, admin: str, address: str) -> None:
    page = open_as(admin)
    page.goto(address)
    expect(page).to_have_title(f"{PAGES[address]} · Armillary")
    assert page.get_by_role("heading", level=1).count() == 1
    axe(page)
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


@pytest.mark.parametrize("address", PAGES)
def test_it_can_be_read_without_scripts(open_as: Signer, admin: str, address: str) -> None:
    scripted, plain = open_as(admin), open_as(admin, java_script_enabled=False)
    for page in (scripted, plain):
        page.goto(address)
        expect(page).to_have_title(f"{PAGES[address]} · Armillary")
    shown = scripted.get_by_role("main").inner_text().split()
    read = plain.get_by_role("main").inner_text().split()
    missing = set(shown) - set(read)
    assert len(missing) < 0.1 * len(set(shown)), missing


def test_a_page_that_is_not_there_says_what_to_do(open_as: Signer, watch: Watch, admin: str) -> None:
    page = open_as(admin)
    page.goto("/files/no-such-file.fits")
    expect(page.get_by_role("link", name="Search the archive")).to_be_visible()
    axe(page)
    watch.allow("console error: .* 404")
