"""Tiles are what an independent reader finds in an image, however it is stored, and whoever edits its header."""

from __future__ import annotations

import bz2
import gzip
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from sqlalchemy import text

from armillary.archive.errors import NoImage, TileNotFound, TilesPending
from armillary.archive.products import service as products
from armillary.archive.products.leftovers import settle_products
from armillary.archive.products.objects import directory_of
from armillary.archive.products.service import ImageDetails, SkyGrid, TileIndex
from armillary.base.postgres.server import EmbeddedServer
from armillary.fits.container_errors import DamagedImage
from armillary.settings import ArchiveSettings
from tests.support.archive import Archive, an_archive, put
from tests.support.tiled import Array, a_file, means, noise, sky_header, values_of

SIDE = 256
HEIGHT, WIDTH = 1100, 1400
"""More than is cut on request."""


async def taken_in(archive: Archive, content: bytes, name: str = "a.fits") -> None:
    """Take a file in and have everything made of it."""
    report = await archive.ingest(put(archive.directory / "night" / name, content))
    assert report.failed == []
    await archive.drain()


async def index_of(archive: Archive, name: str = "a.fits") -> TileIndex:
    return await products.tile_index(archive.context, await archive.version(name))


async def details(archive: Archive, hdu: int, name: str = "a.fits") -> ImageDetails:
    return await products.tile_image(archive.context, await archive.version(name), hdu)


async def sky_in(archive: Archive, name: str = "a.fits") -> SkyGrid | None:
    return await products.tile_sky(archive.context, await archive.version(name), 0)


async def tile(archive: Archive, hdu: int, level: int, column: int, row: int, name: str = "a.fits") -> Array:
    """Return the values of a tile."""
    found = await products.tile(archive.context, await archive.version(name), hdu, level, column, row)
    if not found.content:
        return np.full((found.height, found.width), np.nan)
    content = zlib.decompress(found.content, 31) if found.compressed else found.content
    return values_of(found, content)


async def whole(archive: Archive, hdu: int, level: int, name: str = "a.fits") -> Array:
    """Return a level of an image, put together from its tiles."""
    image = next(one for one in (await index_of(archive, name)).images if one.hdu == hdu)
    columns, rows = (-(-side // (SIDE << level)) for side in (image.width, image.height))
    return np.block(
        [
            [await tile(archive, hdu, level, column, row, name) for column in range(columns)]
            for row in range(rows)
        ]
    )


async def orders(archive: Archive) -> list[tuple[str, int]]:
    """Return state and attempts of the orders for tiles."""
    async with archive.context.database.begin() as connection:
        query = "SELECT state, attempts FROM work_order WHERE kind = 'tiles' ORDER BY id"
        return [tuple(row) for row in await connection.execute(text(query))]


def packed(content: bytes, ending: str) -> bytes:
    return {".bz2": bz2.compress, ".gz": gzip.compress, "": bytes}[ending](content)


@pytest.mark.parametrize("ending", ["", ".bz2", ".gz"])
@pytest.mark.parametrize("dtype", ["i2", "f4", "u2", "f8"])
async def test_tiles_of_every_level_show_the_pixels(archive: Archive, dtype: str, ending: str) -> None:
    values = noise(HEIGHT, WIDTH, dtype)
    await taken_in(archive, packed(a_file(fits.PrimaryHDU(values)), ending), f"a.fits{ending}")
    found = await index_of(archive)
    (image,) = found.images
    assert (found.ready, found.reason, image.ready) == (True, None, True)
    assert (image.width, image.height, image.finest, image.coarsest) == (WIDTH, HEIGHT, 0, 3)
    np.testing.assert_array_equal(await whole(archive, 0, 0), values)
    for level in (1, 2, 3):
        shown, wanted = await whole(archive, 0, level), means(values, 1 << level)
        inside = shown[: wanted.shape[0], : wanted.shape[1]]
        # A step is a small part of the noise, but for tiles with a star that is worth more steps than there are.
        assert np.abs(inside - wanted).max() < 1.0
        assert np.isfinite(shown).all()


@pytest.mark.parametrize("compression", ["RICE_1", "GZIP_1", "GZIP_2"])
@pytest.mark.parametrize("tile_shape", [None, (300, 300)])
async def test_tiles_of_compressed_images_show_the_pixels(
    archive: Archive, compression: str, tile_shape: Any
) -> None:
    values = noise(HEIGHT, WIDTH, "i2")
    hdu = fits.CompImageHDU(values, compression_type=compression, tile_shape=tile_shape)
    await taken_in(archive, a_file(hdu), "a.fits.fz")
    np.testing.assert_array_equal(await whole(archive, 1, 0, "a.fits.fz"), values)
    shown, wanted = await whole(archive, 1, 1, "a.fits.fz"), means(values, 2)
    assert np.abs(shown - wanted).max() < 1.0


async def test_an_image_of_one_large_compressed_tile_keeps_its_full_size(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = noise(1024, 1100, "i2")
    hdu = fits.CompImageHDU(values, compression_type="RICE_1", tile_shape=values.shape)
    await taken_in(archive, a_file(hdu), "a.fits.fz")
    np.testing.assert_array_equal(await whole(archive, 1, 0, "a.fits.fz"), values)


async def test_undefined_pixels_count_nowhere(archive: Archive) -> None:
    values = noise(HEIGHT, WIDTH)
    values[100:400, 200:900] = np.nan
    values[0, 0] = np.inf
    values[1, ::2] = np.nan
    await taken_in(archive, a_file(fits.PrimaryHDU(values)))
    values[0, 0] = np.nan
    for level in (1, 2):
        shown, wanted = await whole(archive, 0, level), means(values, 1 << level)
        inside = shown[: wanted.shape[0], : wanted.shape[1]]
        np.testing.assert_array_equal(np.isnan(inside), np.isnan(wanted))
        if level == 1:
            assert np.nanmax(np.abs(inside - wanted)) < 1.0
    found = (await details(archive, 0)).statistics
    assert found is not None
    assert (found.low, found.high) == (np.nanmin(values), np.nanmax(values))
    assert found.undefined == np.isnan(values).sum()
    assert abs(found.percentiles[4] - np.nanmedian(values)) < 0.1


async def test_blank_pixels_have_no_value(archive: Archive) -> None:
    values = noise(HEIGHT, WIDTH, "i2")
    values[:300, :600] = -32768
    hdu = fits.PrimaryHDU(values)
    hdu.header["BLANK"] = -32768
    await taken_in(archive, a_file(hdu))
    assert np.isnan(await tile(archive, 0, 0, 0, 0)).all()
    assert np.isnan(await tile(archive, 0, 1, 0, 0)).any()
    found = (await details(archive, 0)).statistics
    assert found is not None
    assert found.undefined == 300 * 600


async def test_an_image_without_any_value_is_told_so(archive: Archive) -> None:
    await taken_in(archive, a_file(fits.PrimaryHDU(np.full((HEIGHT, WIDTH), np.nan, "f4"))))
    assert (await index_of(archive)).ready
    assert (await details(archive, 0)).statistics is None
    assert np.isnan(await whole(archive, 0, 1)).all()


async def test_small_images_cost_no_product(archive: Archive) -> None:
    values = noise(300, 400, "i2")
    await taken_in(archive, a_file(fits.PrimaryHDU(values)))
    await taken_in(archive, bz2.compress(a_file(fits.PrimaryHDU(values))), "b.fits.bz2")
    assert await orders(archive) == []
    for name in ("a.fits", "b.fits"):
        (image,) = (await index_of(archive, name)).images
        assert (image.finest, image.coarsest, image.ready) == (0, 0, True)
        np.testing.assert_array_equal(await whole(archive, 0, 0, name), values)
        found = (await details(archive, 0, name)).statistics
        assert found is not None
        assert (found.low, found.high, found.sample) == (values.min(), values.max(), values.size)


async def test_every_image_of_a_file_and_the_first_plane_of_cubes(archive: Archive) -> None:
    cube = np.stack([noise(HEIGHT, WIDTH, "i2", seed=seed) for seed in range(3)])
    small = noise(100, 120)
    table = fits.BinTableHDU.from_columns([fits.Column("A", "J", array=np.arange(10))])
    await taken_in(
        archive, a_file(fits.ImageHDU(small, name="SMALL"), table, fits.ImageHDU(cube, name="SCI"))
    )
    found = await index_of(archive)
    assert [(one.hdu, one.name, one.planes, one.coarsest) for one in found.images] == [
        (1, "SMALL", 1, 0),
        (3, "SCI", 3, 3),
    ]
    np.testing.assert_array_equal(await whole(archive, 3, 0), cube[0])
    np.testing.assert_array_equal(await whole(archive, 1, 0), small)
    with pytest.raises(TileNotFound, match=r"HDU 2 of 'a.fits' is no image"):
        await tile(archive, 2, 0, 0, 0)


@pytest.mark.parametrize("place", [(0, 0, 6, 0), (0, 0, 0, 5), (0, 4, 0, 0), (0, 1, 3, 0), (9, 0, 0, 0)])
async def test_a_tile_that_is_none_is_refused(archive: Archive, place: tuple[int, int, int, int]) -> None:
    await taken_in(archive, a_file(fits.PrimaryHDU(noise(HEIGHT, WIDTH))))
    with pytest.raises(TileNotFound):
        await tile(archive, *place)


async def test_a_file_without_an_image_has_no_index(archive: Archive) -> None:
    await taken_in(archive, a_file(fits.PrimaryHDU()))
    with pytest.raises(NoImage, match="no image of two or more axes"):
        await index_of(archive)


async def test_an_edit_keeps_the_tiles_and_moves_the_sky(archive: Archive) -> None:
    values = noise(HEIGHT, WIDTH)
    await taken_in(archive, a_file(fits.PrimaryHDU(values, sky_header(WIDTH, HEIGHT))))
    before, objects = await index_of(archive), [*directory_of(archive.context).rglob("*.tiles")]
    ra_before = await sky_in(archive)
    await archive.set("a.fits", CRVAL1=160.0)
    await archive.drain()
    assert await index_of(archive) == before
    assert [*directory_of(archive.context).rglob("*.tiles")] == objects
    assert await orders(archive) == [("Completed", 1)]
    np.testing.assert_array_equal(await whole(archive, 0, 0), values)
    assert np.isfinite(await whole(archive, 0, 2)).all()
    ra_after = await sky_in(archive)
    assert ra_before is not None
    assert ra_after is not None
    np.testing.assert_allclose(np.array(ra_after.ra, float) - np.array(ra_before.ra, float), 10.0)


async def test_tiles_are_asked_for_by_whoever_looks_at_a_file_without(archive: Archive) -> None:
    settings = ArchiveSettings(tiles="demand")
    wide = replace(
        archive.context, settings=archive.context.settings.model_copy(update={"archive": settings})
    )
    late = replace(archive, context=wide)
    await taken_in(late, a_file(fits.PrimaryHDU(noise(HEIGHT, WIDTH))))
    assert await orders(late) == []
    found = await index_of(late)
    assert (found.ready, found.reason) == (False, TilesPending().message)
    with pytest.raises(TilesPending):
        await tile(late, 0, 1, 0, 0)
    await late.drain()
    assert (await index_of(late)).ready
    assert np.isfinite(await tile(late, 0, 1, 0, 0)).all()


async def test_tiles_that_are_switched_off_are_told_so(archive: Archive) -> None:
    settings = ArchiveSettings(tiles="off")
    wide = replace(
        archive.context, settings=archive.context.settings.model_copy(update={"archive": settings})
    )
    off = replace(archive, context=wide)
    await taken_in(off, a_file(fits.PrimaryHDU(noise(HEIGHT, WIDTH))))
    found = await index_of(off)
    assert (found.ready, await orders(off)) == (False, [])
    assert "switched off" in str(found.reason)


@pytest.mark.parametrize("damage", ["gone", "cut", "another"])
async def test_lost_tiles_are_made_again(archive: Archive, damage: str) -> None:
    values = noise(HEIGHT, WIDTH)
    await taken_in(archive, a_file(fits.PrimaryHDU(values)))
    (path,) = directory_of(archive.context).rglob("*.tiles")
    whole_object = path.read_bytes()
    _damage(path, damage)
    with pytest.raises(TilesPending):
        await tile(archive, 0, 3, 0, 0)
    with pytest.raises(TilesPending):
        await details(archive, 0)
    await archive.drain()
    assert path.read_bytes() == whole_object
    assert np.isfinite(await tile(archive, 0, 3, 0, 0)).all()
    assert (await settle_products(archive.context))["renewed"] == 0


def _damage(path: Path, damage: str) -> None:
    content = bytearray(path.read_bytes())
    path.unlink()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "another":
        content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
        path.write_bytes(content)


async def test_a_damaged_image_does_not_cost_the_others_their_tiles(archive: Archive) -> None:
    good, bad = noise(HEIGHT, WIDTH, "i2"), noise(HEIGHT, WIDTH, "i2", seed=2)
    hdus = [fits.CompImageHDU(one, compression_type="GZIP_1") for one in (bad, good)]
    content = bytearray(a_file(*hdus))
    # The heap of the first table is far behind its header and its rows.
    at = 200_000
    content[at : at + 4000] = bytes(4000)
    await taken_in(archive, bytes(content), "a.fits.fz")
    found = await index_of(archive, "a.fits.fz")
    assert [(one.hdu, one.ready) for one in found.images] == [(1, False), (2, True)]
    assert "cannot be decoded" in str(found.images[0].reason)
    np.testing.assert_array_equal(await whole(archive, 2, 0, "a.fits.fz"), good)
    with pytest.raises(TileNotFound, match="cannot be decoded"):
        await tile(archive, 1, 1, 0, 0, "a.fits.fz")
    assert await orders(archive) == [("Completed", 1)]


async def test_a_small_damaged_image_is_told_when_it_is_asked_for(archive: Archive) -> None:
    content = bytearray(a_file(fits.CompImageHDU(noise(300, 300, "i2"), compression_type="GZIP_1")))
    content[20_000:24_000] = bytes(4000)
    await taken_in(archive, bytes(content), "a.fits.fz")
    assert (await index_of(archive, "a.fits.fz")).ready
    for ask in (tile(archive, 1, 0, 0, 0, "a.fits.fz"), details(archive, 1, "a.fits.fz")):
        with pytest.raises(DamagedImage, match="Restore a copy"):
            await ask


async def test_a_file_of_400_images_is_listed_and_shown(archive: Archive) -> None:
    hdus = [fits.ImageHDU(np.full((60, 60), number, "i2"), name=f"N{number}") for number in range(400)]
    await taken_in(archive, a_file(*hdus))
    found = await index_of(archive)
    assert [one.name for one in found.images] == [f"N{number}" for number in range(400)]
    assert found.ready
    np.testing.assert_array_equal(await tile(archive, 400, 0, 0, 0), 399)
    assert await orders(archive) == []


@pytest.mark.parametrize("ending", [".bz2", ".gz"])
async def test_images_of_a_container_that_unpacks_slowly_are_shown(archive: Archive, ending: str) -> None:
    values = [noise(700, 900, "i2", seed=seed) for seed in range(8)]
    content = a_file(*(fits.ImageHDU(one) for one in values))
    packed = bz2.compress(content, 1) if ending == ".bz2" else gzip.compress(content, 1)
    await taken_in(archive, packed, f"a.fits{ending}")
    assert await orders(archive) == [("Completed", 1)]
    for hdu in (1, 8):
        np.testing.assert_array_equal(await whole(archive, hdu, 0), values[hdu - 1])
    (path,) = directory_of(archive.context).rglob("*.tiles")
    # Blocks of bzip2 are decoded when somebody asks; gzip cannot be entered in the middle.
    assert (path.stat().st_size > len(packed) / 2) == (ending == ".gz")
    # An edit moves all blocks behind it, by bits.
    await archive.set("a.fits", OBJECT="another")
    np.testing.assert_array_equal(await whole(archive, 8, 0), values[7])
    assert await orders(archive) == [("Completed", 1)]


async def test_the_full_size_is_left_out_of_a_product_that_would_be_too_large(archive: Archive) -> None:
    settings = ArchiveSettings(tiles_whole=1 << 20)
    wide = replace(
        archive.context, settings=archive.context.settings.model_copy(update={"archive": settings})
    )
    small = replace(archive, context=wide)
    values = noise(2100, 2100, "i2")
    await taken_in(small, gzip.compress(a_file(fits.PrimaryHDU(values)), 1), "a.fits.gz")
    (image,) = (await index_of(small)).images
    assert (image.ready, image.finest) == (True, 1)
    with pytest.raises(TileNotFound):
        await tile(small, 0, 0, 0, 0)
    assert np.abs(await whole(small, 0, 1) - means(values, 2)).max() < 1.0


async def test_unsafe_compression_is_told(archive: Archive) -> None:
    hdu = fits.CompImageHDU(noise(HEIGHT, WIDTH, "i2"), compression_type="HCOMPRESS_1", tile_shape=(100, 100))
    await taken_in(archive, a_file(hdu), "a.fits.fz")
    (image,) = (await index_of(archive, "a.fits.fz")).images
    assert (image.ready, image.reason) == (False, "Tiles compressed by HCOMPRESS_1 are not decoded here.")
    with pytest.raises(TileNotFound, match="HCOMPRESS_1"):
        await tile(archive, 1, 0, 0, 0, "a.fits.fz")


async def test_what_takes_too_much_memory_is_told_once(postgres: EmbeddedServer, tmp_path: Path) -> None:
    async with an_archive(postgres, tmp_path, preview_memory=64 << 20) as archive:
        # A row of tiles has 100 MB of numbers.
        await taken_in(archive, a_file(fits.PrimaryHDU(np.zeros((SIDE, 100_000), "u1"))))
        for _ in range(2):
            found = await index_of(archive)
            assert found.ready is False
            assert "raise archive.preview_memory" in str(found.reason)
        assert len(await orders(archive)) == 1


async def test_an_image_without_a_sky_says_so(archive: Archive) -> None:
    header = fits.Header()
    header.update({"CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN", "CDELT1": 0.001, "CDELT2": 0.001})
    await taken_in(archive, a_file(fits.PrimaryHDU(noise(50, 60), header)))
    await taken_in(archive, a_file(fits.PrimaryHDU(noise(50, 60))), "b.fits")
    assert await sky_in(archive) is None
    assert await sky_in(archive, "b.fits") is None
