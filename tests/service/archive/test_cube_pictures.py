"""Pictures of cubes take memory and time of one plane, however many there are."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits
from PIL import Image

from armillary.archive.products.drawing import Subject, draw, read_at
from armillary.archive.products.filming import movie_of_data
from armillary.archive.products.imaging import Encoded
from armillary.base.sandbox.pool import Ask, Sandbox
from armillary.fits.containers import Container
from armillary.fits.pictures import Picture
from armillary.fits.scan import scan
from tests.support.bombs import MIB, an_image
from tests.support.media import needs_av, played

MEMORY = 512 * MIB
SIDE, PLANES = 1024, (8, 4, 32)
"""A cube of 4 GiB: 32-bit reals, in the order of its axes."""
SECONDS = 60.0
FEATURES = {(5, 0, 0): (100, 200), (3, 2, 7): (700, 300), (7, 3, 31): (40, 900)}
"""Where a bright square is in a plane, by the indices along its axes: column and row."""


async def drawn(path: Path, at: Mapping[int, int], *, px: int = SIDE) -> dict[str, Picture]:
    """Draw the pictures of a file in a child process of its own that has little memory."""
    with path.open("rb") as file:
        layout = scan(partial(read_at, file.fileno()), os.fstat(file.fileno()).st_size)
        subject = Subject(layout, Container.PLAIN, px, 1 << 40, at)
        sandbox = Sandbox()

        def work(ask: Ask) -> dict[str, Picture]:
            return ask(draw, file.fileno(), subject)

        try:
            return await sandbox.run(work, memory=MEMORY, seconds=SECONDS)
        finally:
            sandbox.close()


def shown(picture: Picture) -> npt.NDArray[np.uint8]:
    with Image.open(io.BytesIO(picture.jpeg)) as image:
        return np.asarray(image)


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a cube with five axes that is nearly all zeros, most of which take no room on the disk."""
    path = tmp_path_factory.mktemp("cube") / "cube.fits"
    header = an_image(-32, SIDE, SIDE, *PLANES)
    row = np.full(50, 1e4, ">f4").tobytes()
    with path.open("wb") as file:
        file.write(header)
        for (wave, stokes, scan_number), (x, y) in FEATURES.items():
            plane = wave + PLANES[0] * (stokes + PLANES[1] * scan_number)
            for line in range(y, y + 50):
                file.seek(len(header) + 4 * (plane * SIDE * SIDE + line * SIDE + x))
                file.write(row)
        size = len(header) + 4 * SIDE * SIDE * int(np.prod(PLANES))
        file.truncate(-(-size // 2880) * 2880)
    assert path.stat().st_size > 4 << 30
    assert path.stat().st_blocks * 512 < 8 * MIB
    return path


@pytest.mark.parametrize("place", FEATURES)
async def test_what_is_in_a_plane_of_a_large_cube_is_seen_in_its_picture(
    cube: Path, place: tuple[int, int, int]
) -> None:
    picture = shown((await drawn(cube, dict(zip((3, 4, 5), place, strict=True))))["preview"])
    x, y = FEATURES[place]
    top = SIDE - (y + 50)
    assert picture.shape == (SIDE, SIDE)
    assert picture[top + 5 : top + 45, x + 5 : x + 45].min() > 240
    assert picture.mean() < 2


async def test_without_a_word_the_first_plane_of_a_cube_is_shown(cube: Path) -> None:
    pictures = await drawn(cube, {})
    assert shown(pictures["preview"]).max() == 0
    assert set(pictures) == {"preview", "thumbnail"}


async def test_a_large_plane_with_undefined_pixels_fits_into_little_memory(tmp_path: Path) -> None:
    side, path = 8192, tmp_path / "plane.fits"
    header = an_image(-32, side, side, 3)
    strip = np.random.default_rng(1).normal(100, 5, (64, side)).astype(">f4")
    strip[:3, :70] = np.nan
    with path.open("wb") as file:
        file.write(header)
        for _ in range(side // 64):
            file.write(strip.tobytes())
        file.truncate(len(header) + -(-12 * side * side // 2880) * 2880)
    (picture,) = {one.width for name, one in (await drawn(path, {}, px=4096)).items() if name == "preview"}
    assert picture == 4096


@pytest.mark.parametrize("axes", [(30, 20), (1, 30, 20), (30, 1, 20), (30, 1, 1, 20, 1), (30, 20, 1, 1, 1)])
@pytest.mark.parametrize("packed", [False, True])
async def test_axes_of_one_pixel_do_not_count(tmp_path: Path, axes: tuple[int, ...], *, packed: bool) -> None:
    plane = np.arange(600, dtype="i4").reshape(20, 30)
    data = plane.reshape(axes[::-1])
    hdu = fits.CompImageHDU(data, compression_type="RICE_1") if packed else fits.ImageHDU(data)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / "a.fits")
    picture = (await drawn(tmp_path / "a.fits", {}))["preview"]
    assert (picture.width, picture.height) == (30, 20)
    levels = shown(picture).astype("i4")
    # The last row is on top.
    assert levels[0].mean() > levels[10].mean() > levels[19].mean()


async def test_planes_of_packed_cubes_are_found_as_well(tmp_path: Path) -> None:
    data = np.zeros((3, 2, 4, 40, 50), "i2")
    data[2, 1, 3, 30:, :25] = 1000
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(data)]).writeto(tmp_path / "a.fits")
    levels = shown((await drawn(tmp_path / "a.fits", {3: 3, 4: 1, 5: 2}))["preview"])
    assert levels[:8, :20].min() > 240
    assert levels[15:, 30:].max() < 15
    assert shown((await drawn(tmp_path / "a.fits", {3: 3, 4: 1, 5: 1}))["preview"]).max() == 0


@needs_av
async def test_the_movie_of_a_large_cube_has_all_its_scans(cube: Path) -> None:
    path, sandbox = cube, Sandbox()
    with path.open("rb") as file:
        layout = scan(partial(read_at, file.fileno()), os.fstat(file.fileno()).st_size)
        subject = Subject(layout, Container.PLAIN, 256, 1 << 40)

        def work(ask: Ask) -> Encoded:
            return ask(movie_of_data, file.fileno(), subject)

        try:
            movie = await sandbox.run(work, memory=MEMORY, seconds=SECONDS)
        finally:
            sandbox.close()
    codec, frames, _ = played(movie.content)
    assert (codec, len(frames), frames[0].shape) == ("vp9", PLANES[2], (256, 256))


async def test_a_plane_that_a_cube_does_not_have_is_refused(cube: Path) -> None:
    with pytest.raises(RuntimeError, match="Axis 4 has 4 planes, and none is number 4"):
        await drawn(cube, {4: 4})


async def test_spectra_and_tables_have_no_picture(tmp_path: Path) -> None:
    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=np.arange(5))])
    spectrum = fits.PrimaryHDU(np.ones((1, 1, 500)))
    fits.HDUList([spectrum, table]).writeto(tmp_path / "a.fits")
    assert await drawn(tmp_path / "a.fits", {}) == {}
