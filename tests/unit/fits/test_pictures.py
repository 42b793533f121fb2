"""Previews show the sky as an independent reader and IRAF's algorithm would."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits
from astropy.visualization import ZScaleInterval
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from armillary.fits.container_errors import DamagedImage
from armillary.fits.containers import Container, open_logical
from armillary.fits.errors import TruncatedFile
from armillary.fits.models import Layout, ReadAt
from armillary.fits.pictures import Picture, Stretch, preview, thumbnail
from armillary.fits.planes import first_plane
from armillary.fits.scan import scan
from armillary.fits.shrink import shrink
from armillary.fits.zscale import zscale
from tests.support import bombs
from tests.support.realdata import REALDATA, needs_realdata

Array = npt.NDArray[Any]
SIDES = st.integers(2, 23)


def a_file(*hdus: Any) -> bytes:
    out = io.BytesIO()
    fits.HDUList(list(hdus)).writeto(out)
    return out.getvalue()


def opened(data: bytes) -> tuple[Layout, ReadAt]:
    read = _reader(data)
    return scan(read, len(data)), read


def _reader(data: bytes) -> ReadAt:
    return lambda offset, size: data[offset : offset + size]


def shown(picture: Picture | None) -> Array:
    assert picture is not None
    with Image.open(io.BytesIO(picture.jpeg)) as image:
        assert image.size == (picture.width, picture.height)
        return np.asarray(image)


def small(data: bytes, cell: int) -> Array:
    plane = first_plane(*opened(data))
    assert plane is not None
    return shrink(plane, cell)


def cell_means(values: Array, cell: int) -> Array:
    """Return the means of cells one by one, as a reference."""
    height, width = (-(-n // cell) for n in values.shape)
    means = np.full((height, width), np.nan)
    for y in range(height):
        for x in range(width):
            part = values[y * cell : (y + 1) * cell, x * cell : (x + 1) * cell]
            if np.isfinite(part).any():
                means[y, x] = part[np.isfinite(part)].mean()
    return means


@settings(max_examples=60)
@given(
    st.sampled_from(["u1", "i2", "i4", "i8", "f4", "f8"]),
    st.integers(2, 23),
    st.integers(2, 23),
    st.integers(1, 9),
)
def test_cells_are_means_whatever_the_type(kind: str, height: int, width: int, cell: int) -> None:
    rng = np.random.default_rng(height * 100 + width)
    image = rng.uniform(0, 200, (height, width)).astype(kind)
    got = small(a_file(fits.PrimaryHDU(image)), cell)
    np.testing.assert_allclose(got, cell_means(image.astype("f8"), cell), rtol=1e-12)


@pytest.mark.parametrize("shape", [(200, 310), (2, 5000), (5000, 2), (3, 70_001)])
@pytest.mark.parametrize("cell", [2, 7, 700])
def test_cells_are_means_whatever_the_shape(shape: tuple[int, int], cell: int) -> None:
    image = np.random.default_rng(9).integers(0, 60_000, shape).astype("i4")
    got = small(a_file(fits.PrimaryHDU(image)), cell)
    np.testing.assert_allclose(got, cell_means(image.astype("f8"), cell), rtol=1e-12)


@pytest.mark.parametrize("kind", ["i2", "i4", "i8"])
def test_extreme_values_do_not_overflow(kind: str) -> None:
    image = np.full((512, 512), np.iinfo(kind).max, kind)
    got = small(a_file(fits.PrimaryHDU(image)), 256)
    np.testing.assert_allclose(got, float(np.iinfo(kind).max), rtol=1e-12)


def test_unsigned_integers_come_out_as_they_went_in() -> None:
    image = np.random.default_rng(1).integers(0, 65535, (40, 60)).astype("u2")
    np.testing.assert_allclose(small(a_file(fits.PrimaryHDU(image)), 4), cell_means(image.astype("f8"), 4))


def test_undefined_floats_do_not_count() -> None:
    image = np.random.default_rng(2).normal(100, 5, (30, 30)).astype("f4")
    image[3, 4], image[10:20, 10:20], image[7, 25], image[29, 0] = np.nan, np.nan, np.inf, -np.inf
    got = small(a_file(fits.PrimaryHDU(image)), 5)
    np.testing.assert_allclose(got, cell_means(image.astype("f8"), 5), rtol=1e-6)
    assert np.isnan(got[2:4, 2:4]).all()


def test_blank_integers_do_not_count() -> None:
    hdu = fits.PrimaryHDU(np.arange(400, dtype="i2").reshape(20, 20))
    hdu.data[0:4, 0:4] = -999
    hdu.data[10, 10] = -999
    hdu.header["BLANK"], hdu.header["BSCALE"], hdu.header["BZERO"] = -999, 2.0, 10.0
    stored = hdu.data.astype("f8")
    stored[stored == -999] = np.nan
    np.testing.assert_allclose(small(a_file(_as_stored(hdu)), 4), cell_means(stored, 4) * 2 + 10)


def _as_stored(hdu: Any) -> Any:
    """Return an HDU whose stored integers are those given, whatever BSCALE says."""
    data = a_file(fits.PrimaryHDU(hdu.data))
    with fits.open(io.BytesIO(data), do_not_scale_image_data=True) as opened_hdus:
        new = fits.PrimaryHDU(np.array(opened_hdus[0].data), do_not_scale_image_data=True)
    for keyword in ("BLANK", "BSCALE", "BZERO"):
        new.header[keyword] = hdu.header[keyword]
    return new


def test_a_star_near_the_top_of_the_array_is_near_the_top_of_the_picture() -> None:
    image = np.random.default_rng(3).normal(100, 1, (200, 300)).astype("f4")
    image[185:195, 20:30] = 1000
    picture = shown(preview(*opened(a_file(fits.PrimaryHDU(image)))))
    assert picture.shape == (200, 300)
    assert picture[5:15, 20:30].mean() > 240
    assert picture[185:195, 20:30].mean() < 200


@pytest.mark.parametrize(
    ("shape", "size"), [((500, 1000), (250, 125)), ((300, 100), (50, 150)), ((90, 256), (256, 90))]
)
def test_the_long_side_is_kept_below_its_limit(shape: tuple[int, int], size: tuple[int, int]) -> None:
    image = np.random.default_rng(4).normal(0, 1, shape).astype("f4")
    picture = preview(*opened(a_file(fits.PrimaryHDU(image))), long_side_px=256)
    assert picture is not None
    assert (picture.width, picture.height) == size


def test_the_first_image_extension_is_taken() -> None:
    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=np.arange(5))])
    image = np.ones((7, 9), "i2")
    data = a_file(
        fits.PrimaryHDU(), table, fits.ImageHDU(np.ones(5)), fits.ImageHDU(image), fits.ImageHDU(image.T)
    )
    plane = first_plane(*opened(data))
    assert plane is not None
    assert (plane.width, plane.height) == (9, 7)


def test_of_a_cube_the_first_plane_is_taken() -> None:
    cube = np.stack([np.full((6, 8), n, "i2") for n in range(3, 9)]).reshape(2, 3, 6, 8)
    np.testing.assert_array_equal(small(a_file(fits.PrimaryHDU(cube)), 2), np.full((3, 4), 3.0))


@pytest.mark.parametrize("content", [None, np.arange(10), np.ones((1, 2027)), np.ones((50, 1))])
def test_without_an_image_there_is_no_picture(content: Array | None) -> None:
    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=np.arange(5))])
    assert preview(*opened(a_file(fits.PrimaryHDU(content), table))) is None


@pytest.mark.parametrize("value", [0.0, 7.5, np.nan, np.inf])
def test_an_image_without_contrast_is_black(value: float) -> None:
    picture = shown(preview(*opened(a_file(fits.PrimaryHDU(np.full((20, 20), value, "f4"))))))
    assert not picture.any()


def test_an_image_cut_short_is_an_error() -> None:
    data = a_file(fits.PrimaryHDU(np.ones((100, 100), "i2")))
    layout, _ = opened(data)
    with pytest.raises(TruncatedFile, match="HDU 0"):
        preview(layout, lambda offset, size: data[:9000][offset : offset + size])


@pytest.mark.parametrize("kind", ["i2", "u2", "f4"])
def test_a_tile_compressed_image_looks_like_the_plain_one(kind: str) -> None:
    image = np.random.default_rng(5).normal(1000, 20, (120, 150)).astype(kind)
    packed = a_file(fits.PrimaryHDU(), fits.CompImageHDU(image, quantize_level=64))
    np.testing.assert_allclose(small(packed, 3), cell_means(image.astype("f8"), 3), atol=0.3)
    assert shown(preview(*opened(packed), long_side_px=50)).shape == (40, 50)


@pytest.mark.parametrize("tile", [(150, 1), (150, 120), (150, 7), (40, 50), (11, 120)])
@pytest.mark.parametrize("cell", [1, 3, 50])
def test_tiles_of_any_shape_are_decoded_once(tile: tuple[int, int], cell: int) -> None:
    image = np.random.default_rng(5).integers(0, 1000, (120, 150)).astype("i4")
    packed = a_file(
        fits.PrimaryHDU(), fits.CompImageHDU(image, compression_type="GZIP_1", tile_shape=tile[::-1])
    )
    layout, read = opened(packed)
    asked: list[int] = []

    def counted(offset: int, size: int) -> bytes:
        asked.append(size)
        return read(offset, size)

    plane = first_plane(layout, counted)
    assert plane is not None
    strips = [plane.rows(at, min(at + 50, 120)) for at in range(0, 120, 50)]
    np.testing.assert_array_equal(np.concatenate(strips), image)
    assert sum(asked) <= layout.hdus[1].data_size
    np.testing.assert_allclose(small(packed, cell), cell_means(image.astype("f8"), cell))


@pytest.mark.parametrize(
    "tile", [(150, 1), (150, 120), (40, 50), (150, 7, 2), (150, 120, 3, 2), (60, 30, 5, 1, 2)]
)
@pytest.mark.parametrize("kind", ["i4", "f4"])
def test_only_the_tiles_of_a_plane_are_read(tile: tuple[int, ...], kind: str) -> None:
    cube = np.random.default_rng(5).normal(500, 30, (3, 2, 5, 120, 150)).astype(kind)
    tile = (*tile, *(1,) * (5 - len(tile)))
    how = {"quantize_method": 1, "dither_seed": 9_990} if kind == "f4" else {}
    packed = a_file(fits.PrimaryHDU(), fits.CompImageHDU(cube, tile_shape=tile[::-1], **how))
    layout, read = opened(packed)
    asked: list[int] = []

    def counted(offset: int, size: int) -> bytes:
        asked.append(size)
        return read(offset, size)

    with fits.open(io.BytesIO(packed)) as hdus:
        wanted = np.asarray(hdus[1].data)
    for wave, stokes, number in [(0, 0, 0), (4, 1, 2), (2, 0, 1), (3, 1, 0)]:
        asked.clear()
        plane = first_plane(layout, counted, {3: wave, 4: stokes, 5: number})
        assert plane is not None
        for step in (120, 50):
            strips = [plane.rows(at, min(at + step, 120)) for at in range(0, 120, step)]
            np.testing.assert_array_equal(np.concatenate(strips), wanted[number, stokes, wave])
        # Twice, with the planes that are in the same tiles, out of thirty.
        planes = min(tile[2], 5) * tile[3] * tile[4]
        assert sum(asked) < 2.5 * planes / 30 * layout.hdus[1].data_size


@needs_realdata
@pytest.mark.parametrize("name", ["coj1m011-fl08-20151216-0049-b00.fits.fz", "image.fits"])
def test_real_images_shrink_to_the_means_that_astropy_reads(name: str) -> None:
    path = REALDATA / "fits" / name
    with fits.open(path) as hdus:
        wanted = cell_means(np.asarray(hdus[1].data, "f8").reshape(hdus[1].shape[-2:]), 64)
    np.testing.assert_allclose(small(path.read_bytes(), 64), wanted, rtol=1e-5)


@settings(max_examples=40)
@given(st.integers(0, 1 << 30), st.integers(10, 1000), st.floats(0, 0.4))
def test_zscale_agrees_with_astropy(seed: int, count: int, stars: float) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(1000, 25, count)
    values[: int(count * stars)] += rng.exponential(5000, int(count * stars))
    rng.shuffle(values)
    low, high = ZScaleInterval(n_samples=1000).get_limits(values)
    np.testing.assert_allclose(zscale(values), (low, high), rtol=1e-9)


def test_zscale_of_nothing_is_nothing() -> None:
    assert zscale(np.full((3, 3), np.nan)) == (0.0, 0.0)


def test_asinh_brightens_what_is_faint() -> None:
    image = np.random.default_rng(6).normal(100, 10, (64, 64)).astype("f4")
    linear = shown(preview(*opened(a_file(fits.PrimaryHDU(image)))))
    asinh = shown(preview(*opened(a_file(fits.PrimaryHDU(image))), stretch=Stretch.ASINH))
    assert asinh.mean() > linear.mean() + 20


def test_a_thumbnail_keeps_the_proportions() -> None:
    image = np.random.default_rng(7).normal(100, 10, (300, 600)).astype("f4")
    picture = preview(*opened(a_file(fits.PrimaryHDU(image))))
    assert picture is not None
    thumb = thumbnail(picture, height=60)
    assert shown(thumb).shape == (60, 120)
    assert abs(float(shown(thumb).mean()) - float(shown(picture).mean())) < 3
    assert thumbnail(thumb, height=60) is thumb


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_1", "GZIP_2"])
def test_damaged_tiles_are_an_error_and_nothing_worse(kind: str) -> None:
    rng = np.random.default_rng(8)
    image = rng.integers(0, 1000, (32, 32)).astype("i4")
    sound = a_file(fits.PrimaryHDU(), fits.CompImageHDU(image, compression_type=kind))
    layout, _ = opened(sound)
    start = layout.hdus[1].data_offset
    refused = 0
    for _ in range(30):
        data = bytearray(sound)
        data[start + 256 :] = rng.bytes(len(data) - start - 256)
        with contextlib.suppress(DamagedImage):
            preview(layout, _reader(bytes(data)))
            continue
        refused += 1
    assert refused > 15


@pytest.mark.parametrize("kind", ["HCOMPRESS_1", "PLIO_1"])
def test_tiles_whose_decoder_is_unsafe_are_left_alone(kind: str) -> None:
    image = np.random.default_rng(8).integers(0, 1000, (32, 32)).astype("i4")
    data = a_file(fits.PrimaryHDU(), fits.CompImageHDU(image, compression_type=kind))
    assert preview(*opened(data)) is None


def test_a_large_image_is_read_in_strips() -> None:
    data = a_file(fits.PrimaryHDU(np.ones((2000, 1000), "i2")))
    asked: list[int] = []

    def read(offset: int, size: int) -> bytes:
        asked.append(size)
        return data[offset : offset + size]

    layout, _ = opened(data)
    preview(layout, read, long_side_px=500)
    assert max(asked) <= 1 << 20
    assert sum(asked) == 4_000_000


@pytest.mark.parametrize(
    ("container", "pack"), [(Container.BZ2, bz2.compress), (Container.GZ, gzip.compress)]
)
def test_a_preview_through_a_container_is_the_same(
    container: Container, pack: Callable[[bytes], bytes]
) -> None:
    image = np.random.default_rng(9).normal(100, 10, (700, 800)).astype("f4")
    data = a_file(fits.PrimaryHDU(), fits.ImageHDU(image))
    layout, read = opened(data)
    packed = open_logical(_reader(pack(data)), container, limit=len(data))
    assert preview(layout, packed) == preview(layout, read)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("ZVAL1", 0),
        ("ZVAL1", 33),
        ("ZVAL2", -64),
        ("ZVAL2", 1),
        ("ZTILE1", 0),
        ("ZTILE2", 33),
        ("ZBITPIX", 7),
    ],
)
def test_impossible_compression_parameters_never_reach_the_decoder(keyword: str, value: int) -> None:
    image = np.random.default_rng(8).integers(0, 100_000, (32, 32)).astype("i4")
    data = a_file(fits.PrimaryHDU(), fits.CompImageHDU(image))
    at = data.index(f"{keyword:<8}=".encode())
    broken = data[: at + 10] + b"%20d" % value + data[at + 30 :]
    with pytest.raises(DamagedImage, match="HDU 1 has impossible parameters"):
        preview(*opened(broken))


def test_a_tile_whose_bytes_the_decoder_would_miscount_never_reaches_it() -> None:
    side = 1 << 15
    data = bombs.tiles([bytes(9)], image=(side, side), tile=(side, side), kind="RICE_1")
    with pytest.raises(DamagedImage, match=f"tiles of {side * side} pixels"):
        preview(*opened(data))
