"""The viewer shows what is in a file, wherever it is zoomed, and keeps the address of what is seen."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from astropy.io import fits
from playwright.sync_api import Locator, Page, expect

from tests.support.browsing import PATIENCE_MS, PHONE, Watch, axe
from tests.support.patience import in_time
from tests.support.running import Running
from tests.support.tiled import Array, a_file, sky_header

HEIGHT, WIDTH = 1200, 1600
_numbers = itertools.count(1)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'"
)
PAGE = """<!doctype html><html lang="en"><head><title>{name}</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="/assets/-/armillary.css"><link rel="stylesheet" href="/assets/-/viewer.css"></head>
<body><main><h1>{name}</h1><section class="viewer" data-viewer data-url="/v1/files/{name}/tiles">
<img src="/v1/files/{name}/preview" alt="Preview of {name}"></section></main>
<script type="module" src="/assets/-/viewer.js"></script></body></html>"""


def ramp() -> Array:
    """Return an image of which each pixel tells where it is: 2000 y + x, too large for steps of 16 bits."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return (2000 * y + x).astype("f4")


@pytest.fixture
def image(server: Running, tmp_path: Path) -> str:
    """Take a file with two images in, and return its name."""
    name = f"viewed{next(_numbers)}.fits"
    header = sky_header(WIDTH, HEIGHT)
    header["BUNIT"] = "adu"
    primary = fits.PrimaryHDU()
    primary.header["RELEASE"] = "2020-01-01"
    small = fits.ImageHDU(np.arange(12.0).reshape(3, 4).astype("i2"), name="SMALL")
    path = tmp_path / name
    path.write_bytes(a_file(primary, fits.ImageHDU(ramp(), header, name="SCI"), small))
    server.ingest(path)
    return name


def show(page: Page, name: str, query: str = "") -> None:
    """Show the viewer as a page has it."""
    headers = {"Content-Security-Policy": POLICY}
    body = PAGE.format(name=name)
    page.route("**/shown**", lambda it: it.fulfill(content_type="text/html", body=body, headers=headers))
    page.goto(f"/shown{query}")


def canvas_centre(page: Page) -> tuple[float, float]:
    expect(page.locator("canvas")).to_be_visible()
    box = page.locator("canvas").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def state(page: Page) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlparse(page.url).query).items()}


def field(page: Page, label: str) -> Locator:
    return page.get_by_role("combobox", name=label)


def shade(page: Page) -> tuple[int, int]:
    """Return how bright and how opaque a pixel of the picture is."""
    copied = """() => {
        const copy = Object.assign(document.createElement("canvas"), {width: 1, height: 1}).getContext("2d");
        copy.drawImage(document.querySelector("canvas"), -500, -200);
        return copy.getImageData(0, 0, 1, 1).data.join();
    }"""
    grey, _, _, opaque = page.evaluate(copied).split(",")
    return int(grey), int(opaque)


def until(page: Page, holds: Callable[[], bool]) -> None:
    """Wait until something holds; the policy of the page lets no script be made of texts that would wait."""
    end = time.monotonic() + PATIENCE_MS / 1000
    while not holds():
        in_time(end, "the picture is not as it should be")
        page.wait_for_timeout(50)


def readout(page: Page) -> Any:
    return expect(page.locator(".viewer-readout"))


def test_value_and_position_are_told_under_the_pointer(page: Page, image: str) -> None:
    show(page, image)
    page.mouse.move(*canvas_centre(page))
    # The pointer is on the middle of the image; the full size is fetched for its value.
    readout(page).to_contain_text(re.compile(r"x 80[01]  y 60[01]"))
    readout(page).to_contain_text(re.compile(r"1(199|200)\d{3} adu|12008\d\d adu"))
    readout(page).to_contain_text(re.compile(r"(10:00:00\.\d\d|09:59:59\.\d\d) \+(20:00:0|19:59:5)"))
    readout(page).to_contain_text(re.compile(r"(150\.000|149\.999)\d{3}° (20\.000|19\.999)\d{3}°"))
    axe(page)


def test_an_address_shows_the_same_again(page: Page, image: str) -> None:
    show(page, image, "?image=1&zoom=8&x=123.5&y=456.5&limits=p99&curve=asinh&invert=1")
    page.mouse.move(*canvas_centre(page))
    readout(page).to_contain_text("x 124  y 457")
    readout(page).to_contain_text("912123 adu")
    for label, value in (("Limits", "p99"), ("Curve", "asinh"), ("Image", "1")):
        expect(field(page, label)).to_have_value(value)
    expect(page.get_by_role("checkbox", name="Invert")).to_be_checked()
    assert state(page) | {"zoom": "8"} == state(page)


def test_the_keyboard_does_all(page: Page, image: str) -> None:
    show(page, image)
    canvas_centre(page)
    page.locator("canvas").focus()
    page.keyboard.press("1")
    page.wait_for_url("**zoom=1&**")
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**x=860.0**")
    page.keyboard.press("ArrowUp")
    page.wait_for_url("**y=660.0**")
    readout(page).to_contain_text("x 861  y 661")
    readout(page).to_contain_text("1320860 adu")
    page.keyboard.press("+")
    page.wait_for_url("**zoom=1.5&**")
    page.keyboard.press("i")
    page.wait_for_url("**invert=1**")
    page.keyboard.press("0")
    page.wait_for_url(lambda url: "zoom" not in url)


def test_wheel_drag_and_buttons_zoom_and_move(page: Page, image: str) -> None:
    show(page, image, "?zoom=1&x=800&y=600&image=1")
    across, down = canvas_centre(page)
    page.mouse.move(across, down)
    page.mouse.wheel(0, -400)
    page.wait_for_url(lambda url: float(state(page).get("zoom", "1")) > 1.5)
    page.get_by_role("button", name="1:1").click()
    page.wait_for_url("**zoom=1&**")
    page.mouse.move(across, down)
    page.mouse.down()
    page.mouse.move(across - 100, down + 50, steps=4)
    page.mouse.up()
    page.wait_for_url("**x=900.0&y=650.0**")


def test_stretches_change_the_picture(page: Page, image: str) -> None:
    show(page, image)
    canvas_centre(page)
    until(page, lambda: shade(page)[1] == 255)
    before, _ = shade(page)
    page.get_by_role("checkbox", name="Invert").check()
    until(page, lambda: abs(shade(page)[0] - (255 - before)) < 2)
    page.get_by_role("checkbox", name="Invert").uncheck()
    field(page, "Curve").select_option("sqrt")
    until(page, lambda: shade(page)[0] > before)


def test_another_image_of_the_file_is_chosen(page: Page, image: str) -> None:
    show(page, image)
    canvas_centre(page)
    field(page, "Image").select_option("2")
    page.wait_for_url("**image=2**")
    # The upper right pixel of three rows of four: the last value.
    page.locator("canvas").focus()
    for key in ("ArrowRight", "ArrowUp"):
        for _ in range(3):
            page.keyboard.press(key)
    readout(page).to_contain_text("11")


def test_until_there_are_tiles_the_preview_is_shown(
    page: Page, server: Running, image: str, watch: Watch
) -> None:
    with server.client() as client:
        index = client.get(f"/v1/files/{image}/tiles").json()
    early = {**index, "ready": False, "pending": True, "reason": "The tiles are being prepared."}
    early["images"] = [{**one, "ready": False, "reason": early["reason"]} for one in index["images"]]
    page.route(f"**/{image}/tiles", lambda it: it.fulfill(json=early))
    show(page, image)
    expect(page.locator(".viewer-message")).to_have_text("The tiles are being prepared.")
    expect(page.get_by_role("img", name=f"Preview of {image}")).to_be_visible()
    expect(page.locator("canvas")).to_be_hidden()
    page.unroute(f"**/{image}/tiles")
    expect(page.locator("canvas")).to_be_visible()
    expect(page.get_by_role("img", name=f"Preview of {image}")).to_be_hidden()


def test_a_server_that_comes_back_is_found(page: Page, image: str, watch: Watch) -> None:
    page.route(f"**/{image}/tiles", lambda it: it.abort())
    show(page, image)
    expect(page.locator(".viewer-message")).to_contain_text("does not answer")
    page.unroute(f"**/{image}/tiles")
    expect(page.locator("canvas")).to_be_visible()
    watch.allow("failed: GET .*/tiles")
    watch.allow("console error: .*ERR_FAILED")


def test_two_fingers_zoom(open_page: Callable[..., Page], image: str) -> None:
    page: Page = open_page(size=PHONE, has_touch=True)
    show(page, image)
    across, down = canvas_centre(page)
    touch = page.context.new_cdp_session(page)

    def fingers(kind: str, apart: float) -> None:
        points = (
            [] if kind == "touchEnd" else [{"x": across - apart, "y": down}, {"x": across + apart, "y": down}]
        )
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", 20)
    for apart in (40, 60, 80):
        fingers("touchMove", apart)
    fingers("touchEnd", 0)
    page.wait_for_url(lambda url: float(state(page).get("zoom", "0")) > 0.5)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
