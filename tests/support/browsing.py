"""A real browser: Debian's Chromium in a thread of its own, and pages that may do nothing unnoticed."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Playwright,
    Request,
    expect,
    sync_playwright,
)

P = ParamSpec("P")
T = TypeVar("T")
CHROMIUM = "/usr/bin/chromium"
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = Path(__file__).parents[1] / "browser" / "vendor" / "axe.min.js"
PATIENCE_MS = 60_000.0
"""For how long a page may let a test wait for what it says: a machine may be busy."""
MOST_TABS = 500
WIDE, PHONE = (1440, 900), (390, 844)


class Browsing:
    """A browser, and the one thread in which it can be used.

    Playwright runs an event loop in the thread that starts it, as long as it lives; in the main thread that would
    be in the way of every asynchronous test.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="browser")
        self._playwright, self._browser = self.run(_launch)

    def run(self, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something in the thread of the browser."""
        return self._thread.submit(act, *args, **kwargs).result()

    def close(self) -> None:
        """End the browser and its thread."""
        self.run(self._browser.close)
        self.run(self._playwright.stop)
        self._thread.shutdown()

    def open(self, watch: Watch, **options: Any) -> Page:
        """Open a page with cookies of its own, and watch it."""
        width, height = options.pop("size", WIDE)
        context = self._browser.new_context(
            base_url=watch.url,
            viewport={"width": width, "height": height},
            reduced_motion="reduce",
            **options,
        )
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        expect.set_options(PATIENCE_MS)
        watch.over(page)
        return page


def _launch() -> tuple[Playwright, Browser]:
    playwright = sync_playwright().start()
    return playwright, playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)


@dataclass
class Watch:
    """Notes what no page may do: write to the console, fail, lose a request, or ask another host."""

    url: str
    seen: list[str] = field(default_factory=list)
    allowed: list[re.Pattern[str]] = field(default_factory=list)

    def over(self, page: Page) -> None:
        """Watch a page."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.seen.append(f"error: {error}"))
        page.on("requestfailed", self._failed)
        page.on("request", self._request)

    def allow(self, pattern: str) -> None:
        """Let something happen that the test brings about; it has to happen, too."""
        self.allowed.append(re.compile(pattern))

    def judge(self) -> None:
        """Fail if something happened that may not, or something was allowed and did not happen."""
        bad = [one for one in self.seen if not any(pattern.search(one) for pattern in self.allowed)]
        missed = [p.pattern for p in self.allowed if not any(map(p.search, self.seen))]
        _refuse(bad + [f"did not happen: {pattern}" for pattern in missed], f"pages of {self.url}")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self.seen.append(f"console {message.type}: {message.text} ({message.location.get('url', '')})")

    def _failed(self, request: Request) -> None:
        # What a page has not got yet when it is left, it gives up itself.
        if request.failure != "net::ERR_ABORTED":
            self.seen.append(f"failed: {request.method} {request.url}: {request.failure}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and not request.url.startswith(f"{self.url}/"):
            self.seen.append(f"another host: {request.url}")


def violations(page: Page, *rules: str) -> list[str]:
    """Return what axe-core finds wrong with a page: rule, place, and what to do, a line for each."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text())
    found = page.evaluate("(options) => axe.run(options)", _asked(rules))
    return [
        f"{rule['id']} ({rule['impact']}) at {' '.join(map(str, node['target']))}: "
        + " ".join(node["failureSummary"].split())
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def _asked(rules: tuple[str, ...]) -> dict[str, Any]:
    return {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})


def axe(page: Page) -> None:
    """Fail if axe-core finds anything wrong with a page; in the dark, only its colours can be otherwise."""
    page.emulate_media(color_scheme="dark")
    _refuse(violations(page, "color-contrast"), f"{page.url}, dark")
    page.emulate_media(color_scheme="light")
    _refuse(violations(page), f"{page.url}, light")


def _refuse(found: list[str], where: str) -> None:
    if found:
        raise AssertionError("\n  ".join([f"{where}:", *found]))


def tab_to(page: Page, target: Locator) -> None:
    """Press the tabulator until an element has the focus."""
    expect(target).to_be_attached()
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if target.evaluate("(one) => one === document.activeElement"):
            return
    raise AssertionError(f"the tabulator does not lead to {target}")
