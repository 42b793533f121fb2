"""Full-size pictures and their thumbnails, made in a child process, which loads no more than this needs."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from armillary.archive.errors import MediaTooLarge, MediaUnreadable
from armillary.archive.products.drawing import Subject, plane_drawn

FORMATS = ("PNG", "JPEG")
MOST_PIXELS = 200_000_000
"""Pixels of a picture that is decoded at all."""
QUALITY = 90
DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")
"""What pictures of 16 bits are called, which would be cut off at 255 instead of scaled."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A picture or movie as a file, and its size in pixels."""

    content: bytes
    width: int
    height: int


def image_of_data(fd: int, subject: Subject, width: int) -> tuple[Encoded, Encoded]:
    """Return the picture of the first image in an opened FITS file, and the thumbnail of that."""
    with plane_drawn(fd, subject) as picture:
        return _both(picture, width)


def image_of_file(fd: int, name: str, long_side_px: int, width: int) -> tuple[Encoded, Encoded]:
    """Return an opened picture as JPEG of that size at most, and the thumbnail of that.

    Raises
    ------
    MediaUnreadable
        If it is no picture that can be decoded.
    MediaTooLarge
        If it has too many pixels.
    """
    with _reading(name), open(fd, "rb", closefd=False) as file:
        file.seek(0)
        with Image.open(file, formats=FORMATS) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise MediaTooLarge(
                    f"{name} has {opened.width} x {opened.height} pixels, more than the {MOST_PIXELS} that are"
                    " decoded; make it smaller."
                )
            # Half and quarter sizes come out of a decoder of JPEG for a part of the work.
            opened.draft(None, (long_side_px, long_side_px))
            picture = ImageOps.exif_transpose(_plain(opened))
            picture.thumbnail((long_side_px, long_side_px), Image.Resampling.LANCZOS, reducing_gap=2.0)
            return _both(picture, width)


@contextmanager
def _reading(name: str) -> Iterator[None]:
    Image.MAX_IMAGE_PIXELS = None
    with warnings.catch_warnings():
        # What is unusual about the file of others is no concern of a picture.
        warnings.simplefilter("ignore")
        try:
            yield
        except (MemoryError, MediaTooLarge):
            raise
        except UnidentifiedImageError:
            raise MediaUnreadable(f"{name} cannot be read as a picture: it is no PNG and no JPEG.") from None
        except Exception as error:
            # Decoders fail in many ways, some of which are faults of theirs.
            raise MediaUnreadable(f"{name} cannot be read as a picture: {error}; replace it.") from error


def _plain(picture: Image.Image) -> Image.Image:
    """Return a picture in grey or colours of 8 bits; what is transparent is black."""
    if picture.mode in DEEP:
        return picture.convert("I").point(lambda value: value / 257).convert("L")
    if "A" in picture.getbands() or "transparency" in picture.info:
        whole = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", whole.size, "black"), whole).convert("RGB")
    return picture.convert("L" if picture.mode in ("1", "L") else "RGB")


def _both(picture: Image.Image, width: int) -> tuple[Encoded, Encoded]:
    small = picture.resize(_small_size(picture.size, width), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return _encoded(picture, "JPEG", quality=QUALITY), _encoded(small, "PNG", optimize=True)


def _small_size(size: tuple[int, int], width: int) -> tuple[int, int]:
    """Return the size of a thumbnail of that width; a very tall one is no higher than the picture."""
    height = round(width * size[1] / size[0])
    most = max(size[1], width)
    if height > most:
        width, height = round(most * size[0] / size[1]), most
    return max(1, width), max(1, height)


def _encoded(picture: Image.Image, form: str, **options: int | bool) -> Encoded:
    made = io.BytesIO()
    picture.save(made, form, **options)
    return Encoded(made.getvalue(), picture.width, picture.height)
