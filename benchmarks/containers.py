"""Benchmarks 2c and 8b: editing a compressed file, and making a preview."""

from __future__ import annotations

import bz2
import importlib
import importlib.util
import io
import warnings
from collections.abc import Callable

import numpy as np
from astropy.io import fits
from astropy.visualization import ZScaleInterval
from PIL import Image

from armillary.fits.bzip2 import splice, unsplice
from armillary.fits.containers import Container, open_logical
from armillary.fits.edit import edit_header
from armillary.fits.models import CardChange, ReadAt, Value
from armillary.fits.pictures import preview
from armillary.fits.plan import plan_headers
from armillary.fits.scan import scan
from benchmarks.table import Row, finish, interleave

CHANGES: dict[str, Value] = {
    "RAWIQ": "70-percentile",
    "RAWCC": "50-percentile",
    "RAWGEMQA": "USABLE",
    "RAWPIREQ": "YES",
    "NEXP": 3,
}


def an_image(height: int, width: int) -> bytes:
    """Return a FITS file of 16-bit noise with a checksum, as detectors write it."""
    pixels = np.random.default_rng(1).normal(1000, 300, (height, width)).astype(np.int16)
    hdu = fits.PrimaryHDU(pixels)
    for number in range(200):
        hdu.header[f"KEY{number}"] = (number * 1.5, "a comment")
    hdu.header.update(dict.fromkeys(CHANGES, "Any"))
    out = io.BytesIO()
    hdu.writeto(out, checksum=True)
    return out.getvalue()


def _reader(data: bytes) -> ReadAt:
    return lambda offset, size: data[offset : offset + size]


def edit_compressed() -> Row:
    """Edit five keywords of a 50 MB ``.fits.bz2``; the checksum is right afterwards, one stream comes out."""
    raw = an_image(5000, 7500)
    stored = bz2.compress(raw)

    def ours() -> tuple[bytes, bytes]:
        layout = scan(open_logical(_reader(stored), Container.BZ2, limit=len(raw)), len(raw))
        changes = [CardChange(keyword, value) for keyword, value in CHANGES.items()]
        edit = edit_header(layout.headers[0], changes, bytes_after=layout.hdus[0].data_size)
        spliced = splice(stored, plan_headers(layout, {0: edit.header}))
        return bytes(spliced.data), spliced.undo

    def recompress() -> bytes:
        out = io.BytesIO()
        with fits.open(io.BytesIO(bz2.decompress(stored)), do_not_scale_image_data=True) as hdus:
            hdus[0].header.update(CHANGES)
            hdus.writeto(out, checksum=True)
        return bz2.compress(out.getvalue())

    new, undo = ours()
    _check_edit(new, raw)
    _check_edit(recompress(), raw)
    if unsplice(new, undo) != stored:
        raise AssertionError("the edit cannot be undone to the byte")
    peer = "decompress, edit by astropy, recompress"
    seconds = interleave({"ours": ours, peer: recompress}, rounds=3)
    work = f"edit 5 keywords of a {len(stored) / 1e6:.0f} MB .fits.bz2"
    return Row("2c", work, seconds["ours"], {peer: seconds[peer]}, {peer: 6})


def _check_edit(stored: bytes, raw: bytes) -> None:
    decoder = bz2.BZ2Decompressor()
    content = decoder.decompress(stored)
    if decoder.unused_data or not decoder.eof:
        raise AssertionError("more than one stream")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(io.BytesIO(content), checksum=True) as new, fits.open(io.BytesIO(raw)) as old:
            if any(new[0].header[keyword] != value for keyword, value in CHANGES.items()):
                raise AssertionError("values are missing")
            if not np.array_equal(new[0].data, old[0].data):
                raise AssertionError("pixels changed")


def make_preview() -> list[Row]:
    """Make a 1024 px JPEG of a 4096 x 4096 image; nothing if matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        return []
    data = an_image(4096, 4096)

    def ours() -> bytes:
        picture = preview(scan(_reader(data), len(data)), _reader(data), long_side_px=1024)
        if picture is None:
            raise AssertionError("no picture")
        return picture.jpeg

    draw = _matplotlib(data)
    if _size(ours()) != (1024, 1024) or _size(draw()) != (1024, 1024):
        raise AssertionError("pictures differ in size")
    seconds = interleave({"ours": ours, "ZScale + matplotlib": draw}, rounds=9)
    peers = {"ZScale + matplotlib": seconds["ZScale + matplotlib"]}
    work = "4Kx4K preview to a 1024 px JPEG"
    return [Row("8b", work, seconds["ours"], peers, dict.fromkeys(peers, 20.0))]


def _matplotlib(data: bytes) -> Callable[[], bytes]:
    figures = importlib.import_module("matplotlib.figure")

    def draw() -> bytes:
        with fits.open(io.BytesIO(data)) as hdus:
            image = hdus[0].data
            low, high = ZScaleInterval().get_limits(image)
            figure = figures.Figure(figsize=(8, 8), dpi=128)
            axes = figure.add_axes((0, 0, 1, 1), frameon=False)
            axes.imshow(image, cmap="gray", origin="lower", vmin=low, vmax=high)
            out = io.BytesIO()
            figure.savefig(out, format="jpg")
        return out.getvalue()

    return draw


def _size(jpeg: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(jpeg)) as image:
        return image.size


def run() -> list[Row]:
    """Measure all rows of this file."""
    return [edit_compressed(), *make_preview()]


if __name__ == "__main__":
    finish(run())
