"""Work while it is done: an order that moves before one's eyes."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Signer
from tests.support.browsing import axe
from tests.support.running import Running


def test_an_order_is_seen_to_wait_and_to_end(
    open_as: Signer, server: Running, a_file: Callable[..., str], admin: str
) -> None:
    name = a_file()
    page = open_as(admin)
    page.goto("/work")
    with server.held(name):
        with page.expect_response("**/live*"):
            page.reload()
        number = _asked(server, name)
        link = page.get_by_role("link", name=str(number), exact=True).first
        expect(link).to_be_visible()
        axe(page)
        link.click()
        expect(page.get_by_role("heading", name=f"Order {number}")).to_be_visible()
        expect(page.locator("#order .state").first).to_have_text("Queued")
        with page.expect_response("**/live*"):
            page.reload()
    expect(page.locator("#order .state").first).to_have_text(re.compile("Completed"))
    axe(page)


def test_a_row_is_new_when_its_order_was_cancelled(
    open_as: Signer, server: Running, a_file: Callable[..., str], admin: str
) -> None:
    name = a_file()
    page = open_as(admin)
    with server.held(name):
        number = _asked(server, name)
        page.goto(f"/work?file={name}")
        row = page.locator(f"#order-{number}")
        row.get_by_role("button", name=f"Cancel order {number}").click()
        expect(row.locator(".state")).to_have_text("Failed")
        expect(row).to_contain_text("Cancelled by")
    # Not the page was loaded, but the row: the address is the one of before.
    assert page.url.endswith(f"file={name}")


def _asked(server: Running, name: str) -> int:
    """Ask for an edit, and return its order."""
    reply = server.post([{"filename": name, "values": {"generic": [["OBSERVER", "Somebody"]]}}])
    assert reply.json()[0]["result"] is True, reply.text
    ((number,),) = server.sql("SELECT max(id) FROM work_order WHERE kind = 'update_headers'")
    return int(number)
