"""Edits that landed in one version, taken back one after another: the bytes from before all of them return."""

from __future__ import annotations

import bz2
import gzip
import io
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from armillary.edits.changesets import service
from armillary.edits.changesets.models import Action, ChangeSetState, Wanted
from armillary.edits.changesets.stepping import step
from armillary.edits.revert import submit_revert
from armillary.fits.models import BLOCK
from tests.support.archive import ORIGIN, Archive, OrderFailed, put
from tests.support.edits import accept_one

CONTAINERS = ("plain.fits", "tiled.fits.fz", "spliced.fits.bz2", "zipped.fits.gz")
NAMES = {one: one.removesuffix(".bz2").removesuffix(".gz") for one in CONTAINERS}


def content(suffix: str) -> bytes:
    """Return a file of several bzip2 blocks whose headers hold all that edits use up or repair.

    These are blank cards between others, a HISTORY that edits repeat, and a CHECKSUM that is wrong.
    """
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 1 << 14, (300, 300), dtype="i2")
    image = fits.CompImageHDU(pixels) if suffix == ".fz" else fits.ImageHDU(pixels)
    hdus = fits.HDUList([fits.PrimaryHDU(), image, fits.ImageHDU(pixels[:50], name="SKY")])
    for hdu in hdus:
        hdu.header["OBSERVER"] = ("nobody", "who")
        hdu.header["AIRMASS"] = (1.25, "up")
        for _ in range(3):
            hdu.header.append(end=True)
        hdu.header["HISTORY"] = "made for a test"
        hdu.header["HISTORY"] = "and for nothing else"
        for _ in range(2):
            hdu.header.append(end=True)
    written = io.BytesIO()
    hdus.writeto(written, checksum=True)
    data = written.getvalue()
    at = data.index(b"CHECKSUM= '", data.index(b"SKY") - BLOCK) + 11
    return data[:at] + b"Wrong" + data[at + 5 :]


def stored(filename: str) -> bytes:
    """Return the bytes of a file as a foreign program packed it."""
    data = content(Path(filename).suffix)
    match Path(filename).suffix:
        case ".bz2":
            return bz2.compress(data[:150_000], 1) + bz2.compress(data[150_000:], 2)
        case ".gz":
            return gzip.compress(data, 3, mtime=77)
        case _:
            return data


def a_wish(rng: Random, number: int) -> tuple[list[list[Any]], int]:
    """Return cards of one edit and the HDU that they go to."""
    cards: list[list[Any]] = rng.choice(
        (
            [["OBSERVER", f"observer {number}"]],
            [["AIRMASS", 1.5 + number]],
            [["AIRMASS", 1.5 + number], ["OBSERVER", "x" * rng.randint(60, 300)]],
            [[f"NEW{number}", number], ["OBSERVER", f"observer {number}"]],
            [["HISTORY", "made for a test"], [f"NEW{number}", number]],
            [["HISTORY", "made for a test"]],
            [["COMMENT", "longer " * 30]],
            [[f"K{number}_{at}", at] for at in range(50)],
        )
    )
    return cards, rng.choice((0, 1, 2, 2))


async def land(archive: Archive, name: str, wishes: Sequence[tuple[list[list[Any]], int]]) -> None:
    """Edit a file several times at once."""
    orders = []
    for cards, extension in wishes:
        accepted = await accept_one(archive.context, {"generic": cards}, name, ORIGIN, extension=extension)
        orders += accepted.order_ids
    await archive.finish(orders)


async def take_back(archive: Archive, name: str, edits: Sequence[int], rng: Random) -> None:
    """Take edits back in an order by chance; one that a later edit is in the way of waits for that one."""
    left = list(edits)
    while left:
        edit = rng.choice(left)
        try:
            await archive.revert(name, edit)
        except OrderFailed as error:
            if "revert that one first" not in error.message:
                raise
            continue
        left.remove(edit)
        assert await archive.verify(name) == {name: ""}


async def ingest(archive: Archive, filename: str) -> tuple[Path, bytes]:
    path = put(archive.directory / "in" / filename, stored(filename))
    assert (await archive.ingest(path)).ingested == 1
    return path, path.read_bytes()


@pytest.mark.parametrize("filename", CONTAINERS)
@pytest.mark.parametrize("seed", range(2))
async def test_in_whatever_order_edits_go_back_the_first_bytes_return(
    archive: Archive, filename: str, seed: int
) -> None:
    rng, name = Random(f"{filename} {seed}"), NAMES[filename]
    path, original = await ingest(archive, filename)
    numbers, states = iter(range(100)), [original]
    for _ in range(2):
        await land(archive, name, [a_wish(rng, next(numbers)) for _ in range(rng.randint(2, 4))])
        states.append(path.read_bytes())
    edits = await archive.edits(name)
    assert len((await archive.history(name)).versions) == 3
    if seed % 2:
        newest = [one.id for one in (await archive.history(name)).edits if one.version_before != 1]
        await take_back(archive, name, [one for one in edits if one in newest], rng)
        assert path.read_bytes() == states[1]
        edits = [one for one in edits if one not in newest]
    await take_back(archive, name, edits, rng)
    assert path.read_bytes() == original


@pytest.mark.parametrize("filename", CONTAINERS)
async def test_two_items_of_one_request_go_back_by_two_reverts(archive: Archive, filename: str) -> None:
    path, original = await ingest(archive, filename)
    name = NAMES[filename]
    await land(archive, name, [([["OBSERVER", "one"]], 0), ([["AIRMASS", 2.0]], 0)])
    assert path.read_bytes() != original
    await archive.revert(name)
    await archive.revert(name)
    assert path.read_bytes() == original
    version = await archive.version(name)
    first, *_ = (await archive.history(name)).versions
    assert version.data_md5 == first.data_md5 is not None


@pytest.mark.parametrize("filename", CONTAINERS)
async def test_reverts_are_taken_back_to_the_byte_too(archive: Archive, filename: str) -> None:
    """Undone and done again like in an editor, through states that no single edit leads to."""
    path, original = await ingest(archive, filename)
    name = NAMES[filename]
    wishes = [([["OBSERVER", "one"]], 0), ([["AIRMASS", 2.0]], 1), ([["NEW", 1]], 2)]
    await land(archive, name, wishes)
    states = [path.read_bytes()]
    for _ in wishes:
        await archive.revert(name)
        states.append(path.read_bytes())
    assert states[-1] == original
    *_, first, second, third = await archive.edits(name)
    for edit, state in zip((third, second, first), states[-2::-1], strict=True):
        await archive.revert(name, edit)
        assert path.read_bytes() == state
    assert await archive.verify(name) == {name: ""}


async def test_a_change_set_that_shared_versions_is_taken_back_to_the_byte(archive: Archive) -> None:
    """An observer edits the files in the same instant; both go back, and nothing is left of either."""
    paths = {NAMES[one]: await ingest(archive, one) for one in CONTAINERS}
    await archive.drain()
    context = archive.context
    wanted = Wanted(values={"generic": [["OBSERVER", "of the set"], ["NEW", 1]]}, names=tuple(paths))
    async with context.database.begin() as connection:
        await service.create(connection, context, 4711, wanted, ORIGIN)
    await step(context, 4711)
    for name in paths:
        await accept_one(context, {"generic": {"AIRMASS": 3.0}}, name, ORIGIN)
    await archive.drain()
    assert {len((await archive.history(name)).versions) for name in paths} == {2}
    async with context.database.begin() as connection:
        order = await service.act(connection, 4711, Action.REVERT, actor="observer")
    await archive.finish([order])
    async with context.database.begin() as connection:
        assert (await service.get(connection, 4711)).state is ChangeSetState.REVERTED
    orders = [await submit_revert(context, name, None, ORIGIN) for name in paths]
    await archive.finish(orders)
    assert [name for name, (path, before) in paths.items() if path.read_bytes() != before] == []
