"""Take pictures of the pages of the console, with the demonstration night: two for the README, or all to look at.

Without options, it writes docs/images. With ``--all DIR``, every page is taken wide and at the width of a phone,
in light and in dark; ``--page`` takes others instead. Chromium is needed, and the packages of the tests.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

IMAGES = Path(__file__).parent.parent / "docs" / "images"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
FILE = "cpt1m010-fa14-20260101-0005-e91.fits"
SHOWN = {
    "night": ("/nights/gemini-north/2026-01-01", "light"),
    "file": (f"/files/{FILE}", "dark"),
}
"""The pages of the README, each in a scheme of colours."""
PAGES = (
    "/",
    "/frames",
    "/frames?selection=GMOS-N",
    f"/files/{FILE}",
    "/nights",
    "/nights/gemini-north/2026-01-01",
    "/work",
    "/status",
    "/tokens",
    "/sign-in",
    "/docs",
    "/docs/commands",
    "/docs/routes",
    "/docs/settings",
    "/docs/errors",
    "/docs/api",
    "/docs/api/GET/v1/frames",
    "/no-such-page",
)
SIZES = {"wide": (1440, 900), "phone": (390, 844)}
SCHEMES = ("light", "dark")
MOST_BYTES = 150_000
REST_MS = 2000
ENOUGH, PATIENCE_S = 36, 300.0
"""Frames of the night, and for how long they may take to come in."""


@contextmanager
def demonstration() -> Iterator[tuple[str, str]]:
    """Run the program with the demonstration night; give its address and a token that may do everything."""
    with tempfile.TemporaryDirectory(prefix="armillary-pictures-") as folder:
        armillary = [sys.executable, "-m", "armillary"]
        # Port 0: any that is free.
        command = [*armillary, "up", "--demo", "--port", "0", "--data", folder]
        if os.geteuid() == 0:
            # PostgreSQL does not run as root; this account is everywhere.
            os.environ.setdefault("ARMILLARY_DATABASE__ACCOUNT", "daemon")
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout
            address = process.stdout.readline().split()[1]
            token = [*armillary, "token", "create", "archive scientist", "--scope", "admin", "--data", folder]
            secret = subprocess.run(token, check=True, capture_output=True, text=True).stdout.strip()
            _await_night(address)
            yield address, secret
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def _await_night(address: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while True:
        frames = _asked(f"{address}/v1/frames?limit=1000&night=2026-01-01")["frames"]
        if len(frames) >= ENOUGH and not _asked(f"{address}/v1/health")["waiting"]:
            return
        if time.monotonic() > end:
            raise SystemExit("The demonstration night did not come in; see what `armillary up` says.")
        time.sleep(1)


def _asked(url: str) -> dict[str, list[object]]:
    with urlopen(url) as reply:  # noqa: S310  # an address of our own
        found: dict[str, list[object]] = json.load(reply)
        return found


def open_page(browser: Browser, address: str, secret: str, *, size: str, scheme: str) -> Page:
    """Open a page in a size and a scheme of colours, signed in if there is a token."""
    width, height = SIZES[size]
    context = browser.new_context(
        base_url=address,
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    if secret:
        page.goto("/sign-in")
        page.get_by_label("Token").fill(secret)
        page.get_by_role("main").get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{address}/")
    return page


def take(page: Page, path: str, *, whole: bool) -> bytes:
    """Return the picture of a page as PNG, once its own pictures are there."""
    page.goto(path)
    page.wait_for_load_state("load")
    page.wait_for_function(
        "() => [...document.images].every((one) => one.complete || one.loading === 'lazy')"
    )
    # Curves and tiles are drawn by scripts that begin when the page is there, and say nothing when they have done.
    if page.locator("[data-viewer]").count():
        page.locator("[data-viewer] canvas").wait_for()
    page.wait_for_timeout(REST_MS)
    return page.screenshot(full_page=whole)


def write_small(png: bytes, file: Path) -> None:
    """Write a picture as WebP, as good as its size allows."""
    with Image.open(io.BytesIO(png)) as image:
        for quality in range(90, 20, -10):
            image.convert("RGB").save(file, quality=quality, method=6)
            if file.stat().st_size < MOST_BYTES:
                return
    raise SystemExit(f"{file} has more than {MOST_BYTES} bytes.")


def show(browser: Browser, address: str, secret: str) -> None:
    """Write the pictures of the README."""
    IMAGES.mkdir(exist_ok=True)
    for name, (path, scheme) in SHOWN.items():
        page = open_page(browser, address, secret, size="wide", scheme=scheme)
        write_small(take(page, path, whole=False), IMAGES / f"{name}.webp")


def take_all(browser: Browser, address: str, secret: str, folder: Path, paths: list[str]) -> None:
    """Write pictures of pages in every size and scheme, and say which do not fit their width."""
    folder.mkdir(parents=True, exist_ok=True)
    for size in SIZES:
        for scheme in SCHEMES:
            page = open_page(browser, address, secret, size=size, scheme=scheme)
            for path in paths:
                name = re.sub(r"[^A-Za-z0-9.]+", "-", path).strip("-") or "overview"
                (folder / f"{name}-{size}-{scheme}.png").write_bytes(take(page, path, whole=True))
                too_wide = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
                if too_wide > 0:
                    print(f"{path} is {too_wide} px wider than {size}")
            page.context.close()


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="DIR", help="where pictures of all pages go")
    parser.add_argument("--page", action="append", help="of this page instead; may be repeated")
    parser.add_argument("--url", help="of a server that runs, instead of a demonstration; with --token")
    parser.add_argument("--token", default="", help="the token to sign in with there")
    given = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        if given.url:
            _take(browser, given, given.url, given.token)
        else:
            with demonstration() as (address, secret):
                _take(browser, given, address, secret)
        browser.close()


def _take(browser: Browser, given: argparse.Namespace, address: str, secret: str) -> None:
    if given.all:
        take_all(browser, address, secret, given.all, given.page or list(PAGES))
    else:
        show(browser, address, secret)


if __name__ == "__main__":
    main()
