"""Pictures of FITS images for people: previews and thumbnails, as JPEG in shades of grey."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from PIL import Image

from armillary.fits.models import Layout, ReadAt
from armillary.fits.planes import FIRST, Plane, first_plane
from armillary.fits.shrink import shrink
from armillary.fits.zscale import zscale

_QUALITY = 88
_ASINH_SOFTENING = 10.0
_STRIP = 1 << 16
"""Pixels that become shades at once."""


class Stretch(StrEnum):
    """How values between black and white become shades."""

    LINEAR = "linear"
    ASINH = "asinh"


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG file and its size in pixels."""

    jpeg: bytes
    width: int
    height: int


def preview(
    layout: Layout,
    read: ReadAt,
    *,
    long_side_px: int = 1024,
    stretch: Stretch = Stretch.LINEAR,
    at: Mapping[int, int] = FIRST,
) -> Picture | None:
    """Return a picture of the first image in the file, at most ``long_side_px`` long; nothing without one.

    Of an image with more than two axes one plane is shown, which is the first along each axis but for those that
    ``at`` has an index of, by their numbers. The image is reduced by whole numbers of
    pixels and never enlarged; north of the array (the last row) is up; undefined pixels are black.

    Raises
    ------
    TruncatedFile
        If the file ends inside the image.
    """
    plane = first_plane(layout, read, at)
    return None if plane is None else preview_of(plane, long_side_px=long_side_px, stretch=stretch)


def preview_of(plane: Plane, *, long_side_px: int = 1024, stretch: Stretch = Stretch.LINEAR) -> Picture:
    """Return a picture of an image, as `preview` does."""
    return encoded(picture_of(plane, long_side_px=long_side_px, stretch=stretch))


def picture_of(plane: Plane, *, long_side_px: int, stretch: Stretch = Stretch.LINEAR) -> Image.Image:
    """Return a picture of an image that is not encoded yet."""
    cell = -(-max(plane.width, plane.height) // long_side_px)
    small = shrink(plane, cell)
    grey = shades(small, *limits(small), stretch)
    # Bottom up. As `fromarray` does, which looks for more than there is in a small picture.
    return Image.frombuffer("L", grey.shape[::-1], grey, "raw", "L", 0, -1)


def thumbnail(picture: Picture, *, height: int = 128) -> Picture:
    """Return the picture reduced to a height in pixels; one that is not higher stays as it is."""
    if picture.height <= height:
        return picture
    width = max(1, round(picture.width * height / picture.height))
    with Image.open(io.BytesIO(picture.jpeg)) as image:
        return encoded(image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0))


def limits(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the values to show as black and as white: those of zscale, or else the least and the greatest.

    Where most pixels are equal, zscale has no slope to go by, and what differs from them would not be seen.
    """
    black, white = zscale(values)
    if white > black:
        return black, white
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def shades(
    values: npt.NDArray[np.float64], black: float, white: float, stretch: Stretch = Stretch.LINEAR
) -> npt.NDArray[np.uint8]:
    """Return the shades of grey of values between black and white; undefined ones are black."""
    shown = np.zeros(values.shape, np.uint8)
    if white > black:
        # Strip by strip, or a large picture would be in memory three times.
        strip = max(1, _STRIP // values.shape[1])
        for at in range(0, len(values), strip):
            levels = _levels(values[at : at + strip], black, white, stretch)
            np.copyto(shown[at : at + strip], levels, casting="unsafe")
    return shown


def _levels(
    values: npt.NDArray[np.float64], black: float, white: float, stretch: Stretch
) -> npt.NDArray[np.float64]:
    level = values - black
    level /= white - black
    # Of NaN and 0, fmax takes the 0, so undefined pixels become black.
    np.minimum(np.fmax(level, 0.0, out=level), 1.0, out=level)
    if stretch is Stretch.ASINH:
        level = np.arcsinh(level * _ASINH_SOFTENING) / np.arcsinh(_ASINH_SOFTENING)
    level *= 255.0
    level += 0.5
    return level


def encoded(image: Image.Image) -> Picture:
    """Return a picture as a JPEG file."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_QUALITY)
    return Picture(jpeg=out.getvalue(), width=image.width, height=image.height)
