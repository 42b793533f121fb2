"""Addresses of objects, what they are converted to, and zips."""

from __future__ import annotations

import bz2
import io
import zipfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from armillary.access.models import ANYBODY, Permission, Principal, Scope
from armillary.archive.images import service as images
from armillary.archive.products.rendering import arcsinh
from armillary.base.feed.models import BEGINNING
from tests.api.photon_ranch.conftest import Site
from tests.support.ranch import BASE, fits_file, header_text, picture


async def converted(site: Site, name: str, **asked: object) -> bytes:
    """Ask for the address of an object and fetch it, while a worker works."""
    reply = await site.working(site.client.post("/download", json={"object_name": name, **asked}))
    assert reply.status_code == 200, reply.text
    fetched = await site.working(site.client.get(reply.text))
    assert fetched.status_code == 200, fetched.text
    return fetched.content


@pytest.mark.parametrize("stretch", ["arcsinh", "linear"])
@pytest.mark.parametrize("packed", [False, True])
async def test_a_tiff_follows_the_formulas(site: Site, stretch: str, packed: bool) -> None:
    name = f"{BASE}-EX10.fits{'.fz' if packed else ''}"
    await site.sent(name, fits_file(packed=packed))
    content = await converted(site, name, image_type="tif", stretch=stretch)
    shown = np.asarray(Image.open(io.BytesIO(bz2.decompress(content))))
    data = np.arange(24 * 32, dtype=np.int16).reshape(24, 32)
    if stretch == "linear":
        assert np.array_equal(shown, data)
    else:
        expected = np.arcsinh(data.astype(np.float32))
        scaled = (expected - expected.min()) * (65535 / (expected - expected.min()).max())
        assert np.abs(shown.astype(int) - scaled.astype(int)).max() <= 1


async def test_a_tiff_is_named_by_filter_and_stretch(site: Site) -> None:
    name = f"{BASE}-EX00.fits"
    await site.sent(name, fits_file(FILTER="O III/x"))
    reply = await site.working(site.client.post("/download", json={"filename": name, "image_type": "tiff"}))
    fetched = await site.working(site.client.get(reply.text))
    assert (
        fetched.headers["content-disposition"] == f'attachment; filename="OIIIx-arcsinh-{BASE}-EX00.tif.bz2"'
    )


def test_what_is_not_finite_is_black_or_white() -> None:
    plane = np.array([[np.nan, -np.inf], [np.inf, 1.0], [0.0, 10.0]])
    shown = arcsinh(plane)
    assert shown.dtype == np.uint16
    assert shown[0].tolist() == [0, 0]
    assert (shown[1, 0], shown[2, 0], shown[2, 1]) == (65535, 0, 65535)
    for empty in (np.full((2, 2), np.nan), np.full((2, 2), 7.0), np.zeros((1, 1), np.int16)):
        assert not arcsinh(empty).any()


async def test_a_packed_image_becomes_plain_fits(site: Site) -> None:
    await site.sent(f"{BASE}-EX10.fits.fz", fits_file(packed=True))
    # Under the name of its twin, too.
    for asked in (f"{BASE}-EX10.fits.fz", f"{BASE}-EX10.fits"):
        with fits.open(io.BytesIO(await converted(site, asked)), checksum=True) as hdus:
            assert len(hdus) == 1
            assert np.array_equal(hdus[0].data, np.arange(24 * 32, dtype=np.int16).reshape(24, 32))
            assert hdus[0].header["EXPTIME"] == 30.0
            assert "ZCMPTYPE" not in hdus[0].header


async def test_a_compressed_file_is_unpacked_on_the_way(site: Site) -> None:
    plain = fits_file()
    await site.sent(f"{BASE}-EX00.fits.bz2", bz2.compress(plain))
    assert await converted(site, f"{BASE}-EX00.fits.bz2") == plain
    assert bz2.decompress(await converted(site, f"{BASE}-EX00.fits.bz2", image_type="raw")) == plain


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 400),
        ({"object_name": "../x"}, 400),
        ({"object_name": "x.fits", "s3_directory": "secrets"}, 403),
        ({"object_name": "x.fits"}, 404),
        ({"object_name": "x.fits", "image_type": "tif", "stretch": "log"}, 400),
    ],
)
async def test_what_cannot_be_had_is_refused(site: Site, asked: dict[str, str], status: int) -> None:
    reply = await site.client.post("/download", json=asked)
    assert reply.status_code == status


async def test_addresses_are_for_one_object_and_one_form(site: Site) -> None:
    await site.sent(f"{BASE}-EX10.jpg", picture())
    url = (await site.client.post("/download", json={"object_name": f"{BASE}-EX10.jpg"})).text
    assert (await site.client.get(url)).content == picture()
    assert (await site.client.get(url, headers={"Range": "bytes=2-5"})).content == picture()[2:6]
    for changed in (url.replace("EX10", "EX11"), url + "x", url.replace("expires=1", "expires=2")):
        assert (await site.client.get(changed)).status_code == 403, changed


async def zip_of(site: Site, **asked: object) -> tuple[bytes, str]:
    night = {"start_timestamp_s": 1796000000.9, "end_timestamp_s": "1796010000", "site": "saf"}
    reply = await site.client.post("/downloadzip", json=night | asked)
    assert reply.status_code == 200, reply.text
    url = reply.json()["message"]
    fetched = await site.client.get(url)
    assert fetched.status_code == 200
    assert int(fetched.headers["content-length"]) == len(fetched.content)
    return fetched.content, url


async def test_a_zip_is_the_files_and_their_digests(site: Site) -> None:
    small, large = fits_file(packed=True), fits_file()
    await site.sent(f"{BASE}-EX10.fits.fz", small)
    await site.sent(f"{BASE}-EX00.fits", large)
    other = BASE.replace("12", "13")
    await site.sent(f"{other}-EX10.fits.fz", fits_file(packed=True, FILTER="V"))
    contents = {}
    for size in ("small", "large", "BEST"):
        content, _ = await zip_of(site, fits_size=size)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.testzip() is None
            contents[size] = archive.namelist()
            if size == "large":
                assert archive.read(f"{BASE}-EX00.fits") == large
                assert f"{BASE}-EX00.fits" in archive.read("MANIFEST.txt").decode()
    assert contents == {
        "small": [f"{BASE}-EX10.fits.fz", f"{other}-EX10.fits.fz", "MANIFEST.txt"],
        "large": [f"{BASE}-EX00.fits", "MANIFEST.txt"],
        "BEST": [f"{BASE}-EX00.fits", f"{other}-EX10.fits.fz", "MANIFEST.txt"],
    }


async def test_any_range_of_a_zip_is_that_of_the_whole(site: Site) -> None:
    await site.sent(f"{BASE}-EX00.fits", fits_file())
    whole, url = await zip_of(site)
    size = len(whole)
    for start, stop in ((0, 1), (0, 100), (20, 5000), (size - 400, size), (size // 2, size)):
        part = await site.client.get(url, headers={"Range": f"bytes={start}-{stop - 1}"})
        assert (part.status_code, part.content) == (206, whole[start:stop])
    assert (await site.client.get(url)).content == whole
    assert (await site.client.get(url + "x")).status_code == 403


async def test_a_zip_without_images_is_not_found(site: Site) -> None:
    asked = {"start_timestamp_s": 0, "end_timestamp_s": "2026-01-01", "site": "saf"}
    reply = await site.client.post("/downloadzip", json=asked)
    assert (reply.status_code, reply.text) == (404, "No images exist for the given query.")
    for wrong in ({"start_timestamp_s": "soon"}, {"fits_size": "huge"}, {"site": ""}):
        assert (await site.client.post("/downloadzip", json=asked | wrong)).status_code == 400, wrong


async def announced(site: Site, viewer: Principal) -> AsyncIterator[dict[str, Any]]:
    """Yield what a viewer is told who has followed from the beginning."""
    async with aclosing(images.follow(site.archive.context, BEGINNING, viewer)) as pages:
        async for page in pages:
            for one in page.entries:
                yield one.payload
            if not page.more:
                return


async def test_an_image_before_its_release_is_for_those_who_may_read_it(site: Site) -> None:
    later = (datetime.now(UTC) + timedelta(days=400)).date().isoformat()
    await site.sent(f"{BASE}-EX00.txt", header_text(RELEASE=later))
    await site.sent(f"{BASE}-EX10.jpg", picture())
    await site.sent(f"{BASE}-EX00.fits", fits_file(RELEASE=later))
    for path in (f"/image/{BASE}", f"/fitsheader/{BASE}"):
        assert (await site.client.get(path)).status_code == 404, path
    assert (await site.client.get("/filtered_images")).json() == []
    assert (await site.client.get("/saf/latest_images/5")).json() == []
    reader_of_all = Principal("reader", frozenset({Permission(Scope.READ)}))
    heard = [one async for one in announced(site, reader_of_all)]
    assert {one["data"]["base_filename"] for one in heard} == {BASE}
    assert all(set(one) == {"topic", "site", "data"} for one in heard)
    for name in (f"{BASE}-EX10.jpg", f"{BASE}-EX00.fits"):
        assert (await site.client.post("/download", json={"object_name": name})).status_code == 404, name
    assert (await site.client.get("/recentuploads?site=saf")).json() == []
    told = [one async for one in announced(site, ANYBODY)]
    assert told == []
    async with site.reader() as reader:
        assert len((await reader.get("/recentuploads?site=saf")).json()) == 3
        assert (await reader.get(f"/image/{BASE}")).status_code == 200
        assert (await reader.post("/download", json={"object_name": f"{BASE}-EX00.fits"})).status_code == 200


@pytest.mark.parametrize("told_by", ["its own header", "the image of its name"])
async def test_an_information_image_before_its_release_is_for_those_who_may_read_it(
    site: Site, told_by: str
) -> None:
    later = (datetime.now(UTC) + timedelta(days=400)).date().isoformat()
    header, slot = header_text(RELEASE=later), {"s3_directory": "info-images", "info_channel": 2}
    await site.sent(f"{BASE}-EX00.txt", header, **(slot if told_by == "its own header" else {}))
    await site.sent(f"{BASE}-EX10.jpg", picture(), **slot)
    named = {"s3_directory": "info-images", "object_name": f"{BASE}-EX10.jpg"}
    assert (await site.client.get("/infoimage/saf/2")).status_code == 204
    assert (await site.client.post("/download", json=named)).status_code == 404
    async with site.reader() as reader:
        assert (await reader.get("/infoimage/saf/2")).json()["base_filename"] == BASE
        assert (await reader.post("/download", json=named)).status_code == 200
