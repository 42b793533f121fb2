"""The search page: from words to files, by an address that can be kept."""

from __future__ import annotations

import io
import re
import tarfile
import zipfile
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import Opener
from tests.support.browsing import Watch, axe


def results(page: Page) -> list[str]:
    """Return the names of the frames that are shown."""
    return [one for one in page.locator("table.frames td.mono a").all_inner_texts() if one]


def test_a_search_leads_to_a_download(page: Page, tmp_path: Path) -> None:
    page.goto("/")
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Search").click()
    axe(page)
    form = page.get_by_role("search", name="Frames")
    form.locator("#f-instrument").fill("GMOS-N")
    form.locator("#f-observation_type").fill("BIAS")
    form.get_by_role("button", name="Search").click()
    page.wait_for_url("**/frames?instrument=GMOS-N&observation_type=BIAS")
    found = results(page)
    assert found
    axe(page)
    page.get_by_role("link", name="Download all").click()
    axe(page)
    with page.expect_download() as got:
        page.get_by_role("button", name="Tar").click()
    got.value.save_as(tmp_path / "all.tar")
    with tarfile.open(tmp_path / "all.tar") as tar:
        names = [Path(one).name for one in tar.getnames()]
    assert {one.removesuffix(".bz2") for one in names if ".fits" in one} == set(found)


def test_marked_frames_come_as_a_zip(page: Page, tmp_path: Path) -> None:
    page.goto("/frames?observation_type=BIAS")
    first = results(page)[0]
    page.get_by_label(f"Mark {first}").check()
    page.get_by_role("button", name="Download marked").click()
    with page.expect_download() as got:
        page.get_by_role("button", name="Zip").click()
    got.value.save_as(tmp_path / "some.zip")
    names = zipfile.ZipFile(io.BytesIO((tmp_path / "some.zip").read_bytes())).namelist()
    assert [Path(one).name.removesuffix(".bz2") for one in names if ".fits" in one] == [first]


def test_a_word_that_is_refused_says_why_at_its_field(page: Page, watch: Watch) -> None:
    page.goto("/frames?keyword=EXPTIME%3E%3E3&night=2026-13-01")
    expect(page.get_by_text("Nothing was searched for")).to_be_visible()
    night = page.get_by_role("textbox", name="Night", exact=True)
    expect(night).to_have_accessible_description(re.compile("is not a day: write YYYY-MM-DD"))
    axe(page)
    watch.allow("console error: .* 4")


def test_all_that_is_found_can_be_read_without_scripts(open_page: Opener) -> None:
    page = open_page(java_script_enabled=False)
    page.goto("/frames?instrument=GMOS-N")
    names = results(page)
    assert names
    page.get_by_role("link", name="Wall").click()
    page.get_by_role("link", name=names[0]).click()
    expect(page.get_by_role("heading", name=names[0])).to_be_visible()
