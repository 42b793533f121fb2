"""An edit of many frames: from a search over a dry run to a change set, and back."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Signer
from tests.support.browsing import Watch, axe


def test_many_frames_are_edited_after_a_look_and_taken_back(
    open_as: Signer, a_file: Callable[..., str], admin: str
) -> None:
    names = [a_file(OBJECT="Bulk", OBSERVER=f"Observer {number}") for number in range(2)]
    page = open_as(admin)
    page.goto("/frames?object=Bulk")
    page.get_by_role("link", name="Edit all").click()
    axe(page)
    page.get_by_label("Keyword").first.fill("OBSERVER")
    page.get_by_label("Value").first.fill("The whole team")
    page.get_by_role("button", name="Show what would change").click()
    expect(page.locator("#tried del")).to_contain_text(["Observer 0", "Observer 1"])
    expect(page.locator("#tried ins").first).to_contain_text("The whole team")
    axe(page)
    page.get_by_label("Why").fill("they all took part")
    page.get_by_role("button", name="Change 2 files").click()
    expect(page.get_by_role("heading", name="they all took part")).to_be_visible()
    expect(page.get_by_text("2 of 2 files are done")).to_be_visible()
    for name in names:
        expect(page.get_by_role("row").filter(has_text=name)).to_contain_text("changed")
    axe(page)
    page.get_by_role("button", name="Revert what was changed").click()
    expect(page.get_by_text("2 of 2 files are taken back or left")).to_be_visible()
    page.goto(f"/files/{names[1]}")
    expect(page.locator("#cards")).to_contain_text("Observer 1")


def test_a_bulk_edit_that_every_file_refuses_changes_nothing(
    open_as: Signer, watch: Watch, a_file: Callable[..., str], admin: str
) -> None:
    a_file(OBJECT="Refused")
    page = open_as(admin)
    page.goto("/frames/edit?object=Refused")
    page.get_by_label("Keyword").first.fill("NAXIS1")
    page.get_by_label("Value").first.fill("7")
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_role("alert").filter(has_text="NAXIS1")).to_be_visible()
    axe(page)
    watch.allow("console error: .* 422")
