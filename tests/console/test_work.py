"""The page of work: who sees which orders and what is told of them, and the forms that change how they stand."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import timedelta

import httpx
import pytest

from armillary.base.work import Claim, JsonObject, Kind, NewOrder, Worker, step, submit
from armillary.commands.work import KINDS
from armillary.console.panels import PANELS
from armillary.context import Context
from armillary.edits.changesets.kinds import STEP
from armillary.edits.changesets.service import document
from armillary.errors import BadRequest
from armillary.operations import orders
from tests.console.test_sessions import ELSEWHERE, sign_in
from tests.console.test_shell import HOSTILE
from tests.support.archive import Archive, put
from tests.support.headers import a_file
from tests.support.held import look, until, working
from tests.support.rights import a_key

NATIVE = {
    "orders": "/v1/orders",
    "changesets": "/v1/changesets",
    "exports": "/v1/exports",
    "ingestion": "/api/v1/ingest/orders/",
    "pipe": "/v1/pipe/queues",
    "headers": "/v1/exposures",
    "svo": "/v1/exports",
}
"""The routes that tell the same; records for the virtual observatory are told as exports are."""


async def enter(browser: httpx.AsyncClient, archive: Archive, *scopes: str) -> str:
    """Sign in with a new token of these scopes; return its secret."""
    browser.cookies.clear()
    secret = await a_key(archive, f"holder of {' and '.join(scopes)}", *scopes)
    assert (await sign_in(browser, secret)).status_code == 303
    return secret


async def queue(archive: Archive, *orders: NewOrder) -> list[int]:
    """Queue orders, of kinds that no worker of a test knows unless it says so."""
    async with archive.context.database.begin() as connection:
        return list(await submit(connection, orders, keyed_fifo=True))


async def failing(archive: Archive, error: str, *orders: NewOrder) -> list[int]:
    """Queue orders and have them fail for good with this error."""

    async def fail(context: Context, claims: Sequence[Claim]) -> None:
        for claim in claims:
            await claim.fail(BadRequest(error))

    numbers = await queue(archive, *orders)
    kinds = [Kind(kind, fail) for kind in {one.kind for one in orders}]
    await Worker(archive.context, kinds, name="failing").run_until(numbers)
    return numbers


async def text_of(browser: httpx.AsyncClient, path: str, **query: object) -> str:
    """Return a page, without the marks of its elements and with single blanks."""
    reply = await browser.get(path, params={key: str(value) for key, value in query.items()} or None)
    assert reply.status_code == 200, reply.text
    return " ".join(re.sub(r"<[^>]*>", " ", reply.text).split())


@pytest.mark.parametrize(
    "scopes",
    [(), ("read",), ("edit",), ("ingest",), ("pipe.consume",), ("operator",), ("edit", "read"), ("admin",)],
)
async def test_each_panel_is_for_those_whom_its_routes_answer(
    browser: httpx.AsyncClient, archive: Archive, scopes: tuple[str, ...]
) -> None:
    bearer = {}
    if scopes:
        bearer = {"Authorization": f"Bearer {await enter(browser, archive, *scopes)}"}
    page = (await browser.get("/work")).text
    assert {one.name for one in PANELS} == set(NATIVE)
    for name, path in NATIVE.items():
        native = await browser.get(path, headers={"Accept": "application/json", **bearer})
        shown = f'id="panel-{name}"' in page
        assert shown == (native.status_code == 200), (name, native.text)
        piece = await browser.get("/work", headers={"HX-Request": "true", "HX-Target": f"panel-{name}"})
        assert piece.status_code == native.status_code, piece.text
        assert "<html" not in piece.text


async def test_strangers_are_told_what_a_token_would_show(browser: httpx.AsyncClient) -> None:
    told = await text_of(browser, "/work")
    assert "Sign in with a token" in told
    assert "Change sets with edit" in told
    assert "PIPE queues and machines with read" in told
    for path in ("/orders/1", "/changesets/1", "/orders?number=1"):
        assert (await browser.get(path)).status_code == 401


async def test_orders_say_why_they_wait_or_failed(browser: httpx.AsyncClient, archive: Archive) -> None:
    later = archive.context.clock.now() + timedelta(hours=3, minutes=20)
    (failed,) = await failing(
        archive, "the tape is full", NewOrder(kind="strange", args={"name": "a.fits"}, max_attempts=1)
    )
    first, second, due = await queue(
        archive,
        NewOrder(kind="slow", args={}, key="one thing"),
        NewOrder(kind="slow", args={}, key="one thing"),
        NewOrder(kind="slow", args={}, not_before=later),
    )
    await enter(browser, archive, "admin")
    told = await text_of(browser, "/work")
    assert "the tape is full. bad_request" in told
    assert f"Order {first} has to end first: both are about the same thing. Order {first}" in told
    assert "The next free worker takes it." in told
    assert re.search(r"It is not due for another 3 h (19|20) min\.", told)
    assert "Waiting 3 Running 0 Failed 1" in told
    page = (await browser.get("/work")).text
    assert 'href="/docs/errors#bad_request"' in page
    assert 'href="/files/a.fits"' in page
    alone = await text_of(browser, f"/orders/{failed}")
    assert "the tape is full. bad_request" in alone
    assert "Attempts 1 of 1" in alone
    assert f"{second}" in await text_of(browser, "/work", state="Queued", kind="slow")
    assert "the tape is full" not in await text_of(browser, "/work", state="Queued")
    assert "the tape is full" in await text_of(browser, "/work", file="a.fits.bz2")
    assert "No order is like that" in await text_of(browser, "/work", file="b.fits")
    assert f"Order {due} ·" in (await browser.get(f"/orders?number={due}", follow_redirects=True)).text


async def test_orders_come_in_pages(browser: httpx.AsyncClient, archive: Archive) -> None:
    numbers = await queue(archive, *(NewOrder(kind="slow", args={}) for _ in range(30)))
    await enter(browser, archive, "admin")
    first = (await browser.get("/work?kind=slow&state=Queued")).text
    (following,) = re.findall(r'href="([^"]*cursor=[^"]*)"', first)
    second = (await browser.get(following.replace("&amp;", "&"))).text
    found = [int(one) for page in (first, second) for one in re.findall(r'id="order-(\d+)"', page)]
    assert found == sorted(numbers, reverse=True)
    assert "cursor=" not in re.sub(r'hx-get="[^"]*"|next=[^"]*', "", second)


@pytest.mark.parametrize(
    "query", ["state=Lost", "cursor=0", "cursor=x", "before=-1", "kind=%00", "file=" + 300 * "a"]
)
async def test_addresses_that_make_no_sense_are_refused(
    browser: httpx.AsyncClient, archive: Archive, query: str
) -> None:
    await enter(browser, archive, "admin")
    reply = await browser.get(f"/work?{query}")
    assert (reply.status_code, "bad_request" in reply.text) == (400, True)


async def test_an_order_is_cancelled_and_retried_by_forms(
    browser: httpx.AsyncClient, archive: Archive
) -> None:
    (waiting,) = await queue(archive, NewOrder(kind="slow", args={}))
    (failed,) = await failing(archive, "no luck", NewOrder(kind="strange", args={}, max_attempts=1))
    await enter(browser, archive, "admin")
    page = (await browser.get("/work")).text
    for action in (f"{waiting}/cancel", f"{failed}/retry"):
        assert f'action="/orders/{action}"' in page
    assert f'action="/orders/{failed}/cancel"' not in page
    async with working(archive):
        reply = await browser.post(f"/orders/{waiting}/cancel")
        assert (reply.status_code, reply.headers["location"]) == (303, f"/orders/{waiting}")
        assert (await look(archive, waiting)).state == "Failed"
        assert "Cancelled by holder of admin." in await text_of(browser, f"/orders/{waiting}")
        again = await browser.post(f"/orders/{failed}/retry")
        assert again.status_code == 303
        number = int(again.headers["location"].rpartition("/")[2])
        assert number > failed
        assert (await look(archive, number)).args["retries"] == failed
        # With a script only the row is new, and says where the order went on.
        row = await browser.post(f"/orders/{failed}/retry", headers={"HX-Request": "true"})
        assert row.text.lstrip().startswith(f'<tr id="order-{failed}"')
        assert "Tried again as" in row.text
        refused = await browser.post(f"/orders/{waiting}/cancel", headers={"HX-Request": "true"})
        assert (refused.status_code, 'class="notice bad"' in refused.text) == (409, True)
        assert "order_not_cancellable" in refused.text


async def test_pages_of_other_sites_change_nothing(browser: httpx.AsyncClient, archive: Archive) -> None:
    (waiting,) = await queue(archive, NewOrder(kind="slow", args={}))
    await enter(browser, archive, "admin")
    for path in (
        f"/orders/{waiting}/cancel",
        f"/orders/{waiting}/retry",
        "/exports/retry",
        "/changesets/1/stop",
    ):
        reply = await browser.post(path, headers=ELSEWHERE)
        assert reply.status_code in (401, 403), path
    assert (await look(archive, waiting)).state == "Queued"
    assert "slow" in await text_of(browser, "/work", state="Queued")
    assert "cancel_order" not in await text_of(browser, "/work")


@pytest.mark.parametrize("scope", ["read", "edit"])
async def test_others_may_not_change_orders(browser: httpx.AsyncClient, archive: Archive, scope: str) -> None:
    (waiting,) = await queue(archive, NewOrder(kind="slow", args={}))
    await enter(browser, archive, scope)
    page = (await browser.get(f"/orders/{waiting}")).text
    assert f"Order {waiting}" in page
    assert f"/orders/{waiting}/cancel" not in page
    for action in ("cancel", "retry"):
        assert (await browser.post(f"/orders/{waiting}/{action}")).status_code == 403


async def test_texts_of_orders_are_texts(browser: httpx.AsyncClient, archive: Archive) -> None:
    (number,) = await failing(
        archive, HOSTILE, NewOrder(kind="strange", args={"name": HOSTILE}, key=HOSTILE, max_attempts=1)
    )
    await enter(browser, archive, "admin")
    for path in ("/work", f"/orders/{number}"):
        text = (await browser.get(path)).text
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;⟨001B⟩[31m" in text
        assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e]", text)


async def test_editors_are_told_no_reason_that_may_tell_a_position(
    browser: httpx.AsyncClient, archive: Archive
) -> None:
    secret = a_file(cards=[("PROP_MD", True, ""), ("RELEASE", "2999-01-01", ""), ("INSTRUME", "GMOS-N", "")])
    await archive.ingest(put(archive.directory / "secret.fits", secret))
    file_id = (await archive.version("secret.fits")).file_id
    args: JsonObject = {"file_id": file_id, "name": "secret.fits"}
    (number,) = await failing(archive, "RA was 266.4168", NewOrder(kind="strange", args=args, max_attempts=1))
    await enter(browser, archive, "edit")
    told = (await browser.get(f"/orders/{number}")).text
    assert "It was not applied; a token that may read the file is told why." in told
    assert "266.4168" not in told
    assert "bad_request" not in told
    await enter(browser, archive, "read")
    assert "RA was 266.4168" in (await browser.get(f"/orders/{number}")).text


async def made(browser: httpx.AsyncClient, secret: str, **wanted: object) -> int:
    """Ask for a change set as programs do; return its number."""
    headers = {"Authorization": f"Bearer {secret}"}
    reply = await browser.post("/v1/changesets", json={"why": HOSTILE, **wanted}, headers=headers)
    assert reply.status_code == 202, reply.text
    return int(reply.json()["id"])


async def state_of(archive: Archive, number: int) -> str:
    async with archive.context.database.begin() as connection:
        return str((await document(connection, number)).state)


async def until_state(archive: Archive, number: int, state: str) -> None:
    """Wait until a change set is in a state."""

    async def is_so() -> bool:
        return await state_of(archive, number) == state

    await until(is_so)


async def test_a_change_set_is_followed_and_taken_back(browser: httpx.AsyncClient, archive: Archive) -> None:
    names = [f"f{k}.fits" for k in range(3)]
    await archive.ingest(
        *(put(archive.directory / one, a_file(cards=[("OBJECT", "M31", "")])) for one in names)
    )
    secret = await enter(browser, archive, "edit")
    number = await made(browser, secret, names=names, values={"generic": [["OBJECT", "M33"]]})
    asked = await text_of(browser, f"/changesets/{number}")
    assert "requested" in asked
    async with working(archive):
        await until_state(archive, number, "completed")
        told = await text_of(browser, f"/changesets/{number}")
        assert "3 of 3 files are done." in told
        assert "All 3 changed 3" in told
        assert "Revert what was changed" in told
        assert "Stop" not in told
        page = (await browser.get(f"/changesets/{number}")).text
        assert all(f'href="/files/{one}"' in page for one in names)
        assert "<script>alert" not in page
        assert f'href="/changesets/{number}"' in (await browser.get("/work")).text
        reply = await browser.post(f"/changesets/{number}/revert")
        assert (reply.status_code, reply.headers["location"]) == (303, f"/changesets/{number}")
        await until_state(archive, number, "reverted")
    told = await text_of(browser, f"/changesets/{number}")
    assert "reverted 3" in told
    assert "Reverted by holder of edit" in told
    assert "Revert what was changed" not in told


async def test_failures_of_a_change_set_are_told_in_words(
    browser: httpx.AsyncClient, archive: Archive
) -> None:
    await archive.ingest(put(archive.directory / "f.fits", a_file(cards=[("OBJECT", "M31", "")])))
    secret = await enter(browser, archive, "edit")
    values = {"generic": [["NOSUCHKW", 1]]}
    number = await made(browser, secret, names=["f.fits"], values=values, reject_new=True)
    dry = await made(
        browser, secret, names=["f.fits"], values={"generic": [["OBJECT", "M<33"]]}, dry_run=True
    )
    async with working(archive):
        await until_state(archive, number, "completed")
        await until_state(archive, dry, "previewed")
        told = await text_of(browser, f"/changesets/{number}", state="refused")
        assert "f.fits ✕" in told or "f.fits refused" in told
        assert "NOSUCHKW" in told
        assert "Retry refused and failed files" in told
        assert "1 not as wanted" in await text_of(browser, "/work")
        assert (await browser.post(f"/changesets/{number}/retry")).status_code == 303
    shown = (await browser.get(f"/changesets/{dry}")).text
    assert "Of 1 files 1 would change" in shown
    assert "<ins>OBJECT  = &#39;M&lt;33" in shown
    assert "<del>OBJECT  = &#39;M31" in shown


async def test_a_change_set_is_stopped_and_resumed_by_forms(
    browser: httpx.AsyncClient, archive: Archive
) -> None:
    await archive.ingest(put(archive.directory / "f.fits", a_file(cards=[("OBJECT", "M31", "")])))
    secret = await enter(browser, archive, "edit")
    number = await made(browser, secret, names=["f.fits"], values={"generic": [["OBJECT", "M33"]]})
    # Nobody edits yet: the change set is there, and its files wait.
    few = Worker(archive.context, [one for one in KINDS if one.name != STEP], name="few")
    await few.run_until([number])
    page = f"/changesets/{number}"
    assert "applying" in await text_of(browser, page)
    assert f'action="/changesets/{number}/stop"' in (await browser.get(page)).text
    stop = asyncio.Event()
    beside = asyncio.create_task(few.run(stop))
    assert (await browser.post(f"{page}/stop")).status_code == 303
    stop.set()
    await beside
    told = await text_of(browser, page)
    assert "stopping" in told
    assert "Resume" in told
    async with working(archive):
        await until_state(archive, number, "stopped")
        assert "0 of 1 files are done." in await text_of(browser, page)
        assert (await browser.post(f"{page}/resume")).status_code == 303
        await until_state(archive, number, "completed")
    assert "1 of 1 files are done." in await text_of(browser, page)
    refused = await browser.post(f"{page}/stop")
    assert (refused.status_code, "cannot stop any more" in refused.text) == (409, True)


async def test_exports_are_tried_again_by_a_form(browser: httpx.AsyncClient, archive: Archive) -> None:
    await enter(browser, archive, "admin")
    unknown = await browser.post("/exports/retry", data={"destination": "nowhere"})
    assert (unknown.status_code, "nowhere" in unknown.text) == (404, True)


async def test_what_no_worker_does_in_time_is_told(
    browser: httpx.AsyncClient, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "PATIENCE_S", 0.05)
    (waiting,) = await queue(archive, NewOrder(kind="slow", args={}))
    await enter(browser, archive, "admin")
    reply = await browser.post(f"/orders/{waiting}/cancel")
    assert reply.status_code == 303
    told = await text_of(browser, reply.headers["location"])
    assert "asks for it; no worker has done it yet" in told
    row = await browser.post(f"/orders/{waiting}/cancel", headers={"HX-Request": "true"})
    assert "no worker has done it yet" in row.text


async def test_steps_are_told_with_what_was_skipped_and_why(
    browser: httpx.AsyncClient, archive: Archive
) -> None:
    async def work(context: Context, claims: Sequence[Claim]) -> None:
        (claim,) = claims
        async with step(claim, "read"):
            pass
        for _ in range(3):
            async with step(claim, "header") as one:
                one.skip(f"the same {HOSTILE}")

    (number,) = await queue(archive, NewOrder(kind="stepping", args={}))
    await Worker(archive.context, [Kind("stepping", work)], name="stepping").run_until([number])
    await enter(browser, archive, "read")
    told = await text_of(browser, f"/orders/{number}")
    assert "done read" in told
    assert "skipped header × 3 the same &lt;script&gt;" in told
    await enter(browser, archive, "edit")
    told = await text_of(browser, f"/orders/{number}")
    assert "header" not in told
    assert "are shown to tokens with the scope read" in told
