"""The page of a file: an edit to its revert, by mouse and by keyboard, a refused edit, and the embargo."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from armillary.access.models import Scope
from tests.browser.conftest import PROGRAM, Opener, Signer
from tests.support.browsing import Watch, axe, tab_to
from tests.support.running import Running


def card(page: Page, keyword: str) -> Locator:
    """Return the row of a card."""
    return (
        page.locator("#cards")
        .get_by_role("row")
        .filter(has=page.get_by_role("rowheader", name=keyword, exact=True))
    )


def content_of(server: Running, name: str) -> str:
    """Return the digest of what a file holds now."""
    with server.client(scope=Scope.READ) as client:
        return hashlib.sha256(client.get(f"/v1/files/{name}/content").content).hexdigest()


def test_an_edit_is_judged_sent_shown_and_taken_back(
    open_as: Signer, server: Running, a_file: Callable[..., str], admin: str
) -> None:
    name = a_file(OBSERVER="A. Newcomer")
    before = content_of(server, name)
    page = open_as(admin)
    page.goto(f"/files/{name}")
    card(page, "OBSERVER").get_by_role("button", name="Edit OBSERVER").click()
    page.get_by_label("Value of OBSERVER").fill("B. Experienced")
    page.get_by_label("Why").fill("the rota was changed")
    judged = page.locator("#judged")
    expect(judged.locator("del")).to_contain_text("A. Newcomer")
    expect(judged.locator("ins")).to_contain_text("B. Experienced")
    axe(page)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("The file has been edited")).to_be_visible()
    expect(card(page, "OBSERVER")).to_contain_text("B. Experienced")
    history = page.locator("#history")
    expect(history).to_contain_text("the rota was changed")
    page.get_by_text(re.compile(r"^Revert edit \d+$")).first.click()
    history.get_by_role("button", name="Revert").click()
    expect(page.get_by_text("The edit has been taken back")).to_be_visible()
    expect(card(page, "OBSERVER")).to_contain_text("A. Newcomer")
    axe(page)
    assert content_of(server, name) == before, "a revert restores every byte"


def test_an_edit_and_its_revert_need_no_mouse(
    open_as: Signer, a_file: Callable[..., str], admin: str
) -> None:
    name = a_file(OBSERVER="A. Newcomer")
    page = open_as(admin)
    page.goto(f"/files/{name}")
    tab_to(page, page.get_by_role("button", name="Edit OBSERVER"))
    page.keyboard.press("Enter")
    expect(page.get_by_label("Value of OBSERVER")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("C. Keys")
    expect(page.locator("#judged ins")).to_contain_text("C. Keys")
    tab_to(page, page.get_by_role("button", name="Send"))
    page.keyboard.press("Enter")
    expect(card(page, "OBSERVER")).to_contain_text("C. Keys")
    revert = page.get_by_text(re.compile(r"^Revert edit \d+$")).first
    tab_to(page, revert)
    page.keyboard.press("Enter")
    tab_to(page, page.locator("#history").get_by_role("button", name="Revert"))
    page.keyboard.press("Enter")
    expect(card(page, "OBSERVER")).to_contain_text("A. Newcomer")
    expect(page.get_by_text("The edit has been taken back")).to_be_focused()


def test_a_refused_edit_says_why_and_changes_nothing(
    open_as: Signer, watch: Watch, server: Running, a_file: Callable[..., str], admin: str
) -> None:
    name = a_file()
    before = content_of(server, name)
    page = open_as(admin)
    page.goto(f"/files/{name}")
    page.get_by_role("button", name="Add a card").click()
    page.get_by_label("Keyword", exact=True).fill("NAXIS1")
    page.get_by_label("Value").fill("7")
    expect(page.locator("#judged")).to_contain_text("Protected keyword: NAXIS1")
    expect(page.get_by_role("button", name="Send")).to_have_count(0)
    axe(page)
    assert content_of(server, name) == before


def test_an_edit_works_without_scripts(open_as: Signer, a_file: Callable[..., str], admin: str) -> None:
    name = a_file(OBSERVER="A. Newcomer")
    page = open_as(admin, java_script_enabled=False)
    page.goto(f"/files/{name}")
    page.get_by_role("button", name="Edit OBSERVER").click()
    page.get_by_label("Value of OBSERVER").fill("D. Paper")
    page.get_by_role("button", name="Check").click()
    page.get_by_role("button", name="Send").click()
    expect(card(page, "OBSERVER")).to_contain_text("D. Paper")


def test_what_is_not_public_yet_is_for_those_who_may_have_it(
    open_page: Opener,
    open_as: Signer,
    watch: Watch,
    a_file: Callable[..., str],
    bearer: str,
    admin: str,
    tmp_path: Path,
) -> None:
    name = a_file(GEMPRGID=PROGRAM, RELEASE="2900-01-01")
    stranger = open_page()
    stranger.goto(f"/files/{name}")
    expect(stranger.get_by_text("It becomes public on 2900-01-01")).to_be_visible()
    expect(stranger.get_by_role("link", name="Download")).to_have_count(0)
    axe(stranger)
    for secret, reason in ((bearer, "by a grant for its program"), (admin, "as an administrator")):
        page = open_as(secret)
        page.goto(f"/files/{name}")
        expect(page.get_by_text(reason)).to_be_visible()
        with page.expect_download() as got:
            page.get_by_role("link", name="Download").first.click()
        saved = tmp_path / got.value.suggested_filename
        got.value.save_as(saved)
        assert saved.name == name
        assert saved.read_bytes().startswith(b"SIMPLE  =")
    with stranger.expect_event("response") as refused:
        stranger.evaluate(f"fetch('/v1/files/{name}/content')")
    assert refused.value.status == 403
    watch.allow("console error: .* 403")
