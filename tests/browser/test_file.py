"""The page of a file in a browser: an edit to its revert by the keyboard alone, a refused edit, the embargo."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import PROGRAM, Opener, Signer
from tests.support.browsing import PHONE, axe

MOST_STOPS = 400
FOCUSED = """() => {
    const one = document.activeElement;
    const label = one.labels && one.labels.length ? one.labels[0].textContent : one.textContent;
    return (one.getAttribute("aria-label") || label || "").trim();
}"""


def tab_to(page: Page, name: str, *, key: str = "Tab") -> None:
    """Press the key until something of that name has the focus, and check that this is seen."""
    for _ in range(MOST_STOPS):
        page.keyboard.press(key)
        if page.evaluate(FOCUSED) == name:
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", name
            return
    raise AssertionError(f"nothing called {name} gets the focus")


def test_edit_to_revert_by_the_keyboard_alone(
    open_as: Signer, a_file: Callable[..., str], admin: str
) -> None:
    name = a_file(OBJECT="Keyboard 1")
    page = open_as(admin)
    page.goto(f"/files/{name}")
    tab_to(page, "Edit OBJECT")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Value of OBJECT")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("Keyboard 2")
    expect(page.locator("#judged ins")).to_contain_text("'Keyboard 2'")
    expect(page.locator("#judged del")).to_contain_text("'Keyboard 1'")
    axe(page)
    tab_to(page, "Why")
    page.keyboard.type("it was another one")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Send")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#cards [role=status]")).to_contain_text("The file has been edited")
    expect(page.get_by_role("button", name="Edit OBJECT")).to_be_focused()
    history = page.locator("#history")
    expect(history).to_contain_text("it was another one")
    expect(history.get_by_text("Version 2", exact=True)).to_be_visible()
    (number,) = re.findall(r"Revert edit (\d+)", history.inner_text())
    tab_to(page, f"Revert edit {number}")
    page.keyboard.press("Enter")
    tab_to(page, "Why")
    page.keyboard.type("it was right")
    page.keyboard.press("Enter")
    expect(page.locator("#outcome [role=status]")).to_contain_text("has been taken back")
    expect(page.locator("#outcome [role=status]")).to_be_focused()
    expect(history.get_by_text("Version 3", exact=True)).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="OBJECT").first).to_contain_text("'Keyboard 1'")
    tab_to(page, "Compare")
    page.keyboard.press("Enter")
    difference = page.locator("#difference")
    expect(difference.locator("ins").first).to_contain_text("'Keyboard 1'")
    page.wait_for_url(re.compile(r"[?&]from=\d+"))
    axe(page)
    page.reload()
    expect(difference.locator("del").first).to_contain_text("'Keyboard 2'")


def test_a_refused_edit_says_why_while_one_types(
    open_as: Signer, a_file: Callable[..., str], admin: str
) -> None:
    name = a_file()
    page = open_as(admin)
    page.goto(f"/files/{name}")
    page.get_by_role("button", name="Add a card").click()
    expect(page.get_by_label("Keyword", exact=True)).to_be_focused()
    page.keyboard.type("naxis1")
    judged = page.locator("#judged")
    expect(judged).to_contain_text("Protected keyword: NAXIS1")
    expect(page.get_by_role("button", name="Send")).to_have_count(0)
    axe(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Add a card")).to_be_focused()
    expect(page.locator("#history")).not_to_contain_text("Version 2")


def test_somebody_else_edits_while_the_form_is_open(
    open_as: Signer, a_file: Callable[..., str], admin: str
) -> None:
    name = a_file(OBJECT="Before")
    mine, theirs = open_as(admin), open_as(admin)
    for page, value in ((mine, "Mine"), (theirs, "Theirs")):
        page.goto(f"/files/{name}")
        page.get_by_role("button", name="Edit OBJECT").click()
        page.get_by_label("Value of OBJECT").fill(value)
        expect(page.locator("#judged ins")).to_contain_text(value)
    theirs.get_by_role("button", name="Send").click()
    expect(theirs.locator("#cards [role=status]")).to_contain_text("The file has been edited")
    # The history of the other page fills up while it is open.
    expect(mine.locator("#history")).to_contain_text("Theirs")
    mine.get_by_role("button", name="Send").click()
    expect(mine.locator("#judged")).to_contain_text("Changed since the edit was prepared: OBJECT")
    expect(mine.get_by_label("Value of OBJECT")).to_have_value("Mine")


def test_cards_are_found_while_one_types(open_as: Signer, a_file: Callable[..., str], admin: str) -> None:
    name = a_file(OBJECT="Found here")
    page = open_as(admin)
    page.goto(f"/files/{name}")
    page.get_by_label("Find in cards").press_sequentially("found h")
    expect(page.locator("#cards")).to_contain_text("1 of")
    page.wait_for_url(re.compile("find=found(%20|[+])h"))
    page.reload()
    expect(page.locator("table.fits tbody tr")).to_have_count(1)
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    page.get_by_role("button", name="Edit OBJECT").click()
    expect(page.get_by_label("Value of OBJECT")).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    axe(page)


def test_stored_bytes_are_verified_by_one_click(
    open_as: Signer, a_file: Callable[..., str], admin: str
) -> None:
    page = open_as(admin)
    page.goto(f"/files/{a_file()}")
    page.get_by_role("button", name="Verify").click()
    expect(page.locator("#verification")).to_contain_text("every byte is as recorded")


def test_without_scripts_all_is_read_and_edited(
    open_as: Signer, a_file: Callable[..., str], admin: str
) -> None:
    name = a_file(OBJECT="Plain 1")
    page = open_as(admin, java_script_enabled=False)
    page.goto(f"/files/{name}")
    page.get_by_role("button", name="Edit OBJECT").click()
    page.get_by_label("Value of OBJECT").fill("Plain 2")
    page.get_by_role("button", name="Check").click()
    expect(page.locator("#judged ins")).to_contain_text("'Plain 2")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#history")).to_contain_text("Version 2")
    page.locator("#history summary").first.click()
    page.get_by_role("button", name="Revert").click()
    expect(page.locator("#history")).to_contain_text("Version 3")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#difference ins").first).to_contain_text("'Plain 1")


def test_the_embargo_as_stranger_bearer_and_admin(
    open_page: Opener, open_as: Signer, a_file: Callable[..., str], admin: str, bearer: str
) -> None:
    name = a_file(OBJECT="Far away", GEMPRGID=PROGRAM, RELEASE="2900-01-01")
    stranger = open_page()
    stranger.goto(f"/files/{name}")
    expect(stranger.get_by_role("main")).to_contain_text("becomes public on 2900-01-01")
    expect(stranger.get_by_role("link", name="Download")).to_have_count(0)
    expect(stranger.get_by_role("img", name="Not released yet")).to_be_visible()
    axe(stranger)
    for secret, why in ((bearer, "by a grant for its program"), (admin, "as an administrator")):
        page = open_as(secret)
        page.goto(f"/files/{name}")
        expect(page.get_by_role("main")).to_contain_text(why)
        expect(page.get_by_role("link", name="Download")).to_be_visible()
        axe(page)
