"""Pictures of stored files, drawn in a child process, which loads no more than this needs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from PIL import Image

from armillary.archive.errors import NoPreview
from armillary.archive.products.files import JPEG, key_of, write_new
from armillary.archive.products.models import Kept
from armillary.fits.containers import Container, open_logical
from armillary.fits.models import Layout
from armillary.fits.pictures import Picture, encoded, picture_of, preview, thumbnail
from armillary.fits.planes import PlainImage, first_plane


@dataclass(frozen=True, slots=True)
class Subject:
    """A stored file, and how large the picture of it may be.

    ``at`` are the indices of the plane that is shown along its axes, by their numbers, if not the first.
    """

    layout: Layout
    container: Container
    long_side_px: int
    max_unpacked: int
    at: Mapping[int, int] = field(default_factory=dict)


def draw(fd: int, subject: Subject) -> dict[str, Picture]:
    """Return preview and thumbnail of the first image in an opened file; nothing without one."""
    read = open_logical(partial(read_at, fd), subject.container, limit=subject.max_unpacked)
    drawn = preview(subject.layout, read, long_side_px=subject.long_side_px, at=subject.at)
    return {} if drawn is None else {"preview": drawn, "thumbnail": thumbnail(drawn)}


@contextmanager
def plane_drawn(fd: int, subject: Subject) -> Iterator[Image.Image]:
    """Open the picture of the first image in an opened file."""
    read = open_logical(partial(read_at, fd), subject.container, limit=subject.max_unpacked)
    plane = first_plane(subject.layout, read, subject.at)
    if plane is None:
        raise NoPreview("The data have no image.")
    with picture_of(plane, long_side_px=subject.long_side_px) as picture:
        yield picture


def draw_and_keep(
    images: Sequence[tuple[PlainImage, bytes] | None], long_side_px: int, directory: Path
) -> tuple[list[list[Kept]], dict[str, bytes]]:
    """Draw preview and thumbnail of each of many small images and store them below a directory.

    The bytes are those of the first plane of each. One without pictures has to be drawn alone. Those of
    which there are other bytes are returned, too.
    """
    # One step for all images after the other: its code and tables stay in the caches of the processor.
    shown = [_shown(*image, long_side_px) if image else None for image in images]
    kept, contents = [], dict[str, bytes]()
    for one in shown:
        pictures = _encoded(one) if one else {}
        # The thumbnail of a small picture is that picture.
        keys = {jpeg: key_of(JPEG, jpeg) for jpeg in {picture.jpeg for picture in pictures.values()}}
        contents |= {key: jpeg for jpeg, key in keys.items()}
        kept.append([Kept(kind, keys[two.jpeg], two.width, two.height) for kind, two in pictures.items()])
    return kept, {key: contents[key] for key in write_new(directory, contents)}


def _shown(image: PlainImage, pixels: bytes, long_side_px: int) -> Image.Image | None:
    def read(offset: int, size: int) -> bytes:
        return pixels[offset - image.offset : offset - image.offset + size]

    try:
        return picture_of(image.plane(read), long_side_px=long_side_px)
    except MemoryError:
        raise
    except Exception:
        # It is drawn once more, alone, and that tells what is wrong with it.
        return None


def _encoded(image: Image.Image) -> dict[str, Picture]:
    try:
        drawn = encoded(image)
        return {"preview": drawn, "thumbnail": thumbnail(drawn)}
    except MemoryError:
        raise
    except Exception:
        return {}


def read_at(fd: int, offset: int, size: int) -> bytes:
    """Return bytes of an opened file, fewer only at its end."""
    parts = []
    while size > 0 and (part := os.pread(fd, size, offset)):
        parts.append(part)
        offset, size = offset + len(part), size - len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
