"""One running server with the demonstration night, one browser, and a page of its own for each test."""

from __future__ import annotations

import inspect
import itertools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from armillary.access.models import Scope
from armillary.api.http.carriers import SESSION
from armillary.demo import make_night
from tests.support.browsing import Browsing, Watch
from tests.support.night import gemini_file, write_as
from tests.support.postgres import in_memory
from tests.support.running import Running, running

BROWSING = pytest.StashKey[Browsing]()
PROGRAM = "GN-2025B-Q-101"
"""Of files that the bearer may read before their release."""
STRIDE = 3
"""Every third file of the night is enough: files of each instrument, in each container."""
_numbers = itertools.count(1)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Skip or fail tests by name where there is no browser."""
    item.add_marker(pytest.mark.needs("chromium", "chromium"))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Call tests in the thread of the browser, if it is open: nowhere else can its pages be used."""
    browsing = pyfuncitem.session.stash.get(BROWSING, None)
    if browsing is None:
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    browsing.run(pyfuncitem.obj, **{name: pyfuncitem.funcargs[name] for name in names})
    return True


@pytest.fixture(scope="session")
def server() -> Iterator[Running]:
    """Run everything on a directory of its own, with the demonstration night."""
    with ExitStack() as stack:
        made = tempfile.TemporaryDirectory(prefix="armillary-browser-", dir=in_memory())
        folder = Path(stack.enter_context(made))
        one = stack.enter_context(running(folder / "data"))
        one.ingest(*make_night(folder / "night")[::STRIDE])
        yield one


@pytest.fixture(scope="session")
def admin(server: Running) -> str:
    """Return the secret of a token that may do everything."""
    return server.token("archive scientist", Scope.ADMIN)


@pytest.fixture(scope="session")
def bearer(server: Running) -> str:
    """Return the secret of a token that may do nothing but read one program before its release."""
    return server.token("observer", grants={"program": PROGRAM})


@pytest.fixture(scope="session")
def browsing(request: pytest.FixtureRequest) -> Iterator[Browsing]:
    """Open the browser."""
    one = Browsing()
    request.session.stash[BROWSING] = one
    yield one
    del request.session.stash[BROWSING]
    one.close()


@pytest.fixture
def watch(server: Running) -> Iterator[Watch]:
    """Watch all pages of a test, and judge them at its end."""
    one = Watch(server.url)
    yield one
    one.judge()


Opener = Callable[..., Page]


@pytest.fixture
def open_page(browsing: Browsing, watch: Watch) -> Iterator[Opener]:
    """Return what opens pages, each with cookies of its own, with options of Playwright's contexts."""
    with ExitStack() as stack:

        def open_one(**options: Any) -> Page:
            page = browsing.open(watch, **options)
            stack.callback(browsing.run, page.context.close)
            return page

        yield open_one


@pytest.fixture
def page(browsing: Browsing, open_page: Opener) -> Page:
    """Open a page of somebody who shows nothing."""
    return browsing.run(open_page)


Signer = Callable[..., Page]


@pytest.fixture
def open_as(server: Running, open_page: Opener) -> Signer:
    """Return what opens pages of somebody who has signed in with a token, without the form for that."""

    def open_one(secret: str, **options: Any) -> Page:
        page = open_page(**options)
        page.context.add_cookies([{"name": SESSION, "value": secret, "url": server.url, "sameSite": "Lax"}])
        return page

    return open_one


def sign_in(page: Page, secret: str) -> None:
    """Sign in with a token by the form, beginning on the overview."""
    page.goto("/")
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("Token").fill(secret)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


@pytest.fixture
def a_file(server: Running, tmp_path: Path) -> Callable[..., str]:
    """Return a maker of ingested files for tests that change them: it takes cards and returns the logical name."""

    def make(*, container: str = "", **cards: Any) -> str:
        number = next(_numbers)
        name = f"N20260102S{number:04d}.fits"
        content = gemini_file(kb=16, **({"DATALAB": f"GN-2026A-Q-1-{number}-001"} | cards))
        server.ingest(write_as(tmp_path / f"{name}{container}", content))
        return name

    return make
