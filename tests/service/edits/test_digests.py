"""An edit that had the content read to compare its digest says that digest at once, however large the file is."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from armillary.archive.models import SMALL
from tests.support.archive import ORIGIN, Archive, OrderFailed, put
from tests.support.edits import accept_one

PACK: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".bz2": bz2.compress, ".gz": gzip.compress}
UNPACK: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".bz2": bz2.decompress, ".gz": gzip.decompress}
EDIT = {"generic": [["OBSERVER", "somebody"]]}


@cache
def content() -> bytes:
    """Return a file larger than those whose digests are always taken at once."""
    pixels = np.random.default_rng(7).integers(0, 1 << 14, (SMALL >> 9, 300), dtype="i2")
    written = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(pixels)]).writeto(written, checksum=True)
    assert len(written.getvalue()) > SMALL
    return written.getvalue()


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("suffix", list(PACK))
async def test_a_compared_digest_is_known_at_once(archive: Archive, suffix: str) -> None:
    for name in ("twin.fits", "a.fits"):
        await archive.ingest(put(archive.directory / "night" / f"{name}{suffix}", PACK[suffix](content())))
    await archive.drain()
    await archive.edit("twin.fits", EDIT)
    twin = UNPACK[suffix]((await archive.path("twin.fits")).read_bytes())
    await archive.drain()
    answer = await archive.edit("a.fits", EDIT, expect_data_md5=md5(twin))
    stored = (await archive.path("a.fits")).read_bytes()
    assert UNPACK[suffix](stored) == twin
    assert (answer["data_md5_after"], answer["file_md5_after"]) == (md5(twin), md5(stored))
    version = await archive.version("a.fits")
    assert (version.data_md5, version.file_md5) == (md5(twin), md5(stored))
    assert all(hdu.data_sum is not None for hdu in version.hdus)
    assert set((await archive.verify("a.fits")).values()) == {""}


async def test_an_edit_without_a_digest_leaves_that_of_a_large_file_to_others(archive: Archive) -> None:
    await archive.ingest(put(archive.directory / "night" / "a.fits", content()))
    await archive.drain()
    answer = await archive.edit("a.fits", EDIT)
    assert answer["data_md5_after"] is None
    await archive.drain()
    assert (await archive.version("a.fits")).data_md5 == md5((await archive.path("a.fits")).read_bytes())


async def test_a_later_edit_of_the_same_write_leaves_the_compared_digest_behind(archive: Archive) -> None:
    for name in ("twin.fits", "a.fits"):
        await archive.ingest(put(archive.directory / "night" / name, content()))
    await archive.drain()
    await archive.edit("twin.fits", EDIT)
    expected = md5((await archive.path("twin.fits")).read_bytes())
    wishes: list[dict[str, Any]] = [
        {"values": EDIT, "expect_data_md5": expected},
        {"values": {"generic": [["AIRMASS", 1.5]]}},
    ]
    accepted = [
        (await accept_one(archive.context, wish.pop("values"), "a.fits", ORIGIN, **wish)).order_ids[0]
        for wish in wishes
    ]
    await archive.finish(accepted)
    await archive.drain()
    found = (await archive.path("a.fits")).read_bytes()
    assert md5(found) != expected
    assert (await archive.version("a.fits")).data_md5 == md5(found)


async def test_a_digest_that_differs_is_said_and_nothing_is_written(archive: Archive) -> None:
    path = put(archive.directory / "night" / "a.fits", content())
    await archive.ingest(path)
    with pytest.raises(OrderFailed, match=r"^expect_data_md5 is 0+, but the content has "):
        await archive.edit("a.fits", EDIT, expect_data_md5="0" * 32)
    assert (await archive.path("a.fits")).read_bytes() == content()
