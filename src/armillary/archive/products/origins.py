"""Where the picture and the movie of a version come from: a file that was named, one beside it, or its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from types import MappingProxyType

from armillary.archive.catalog.models import Version
from armillary.archive.errors import MediaSourceMissing
from armillary.archive.products.models import fingerprint
from armillary.base.store import ObjectStore, StoredObject
from armillary.base.store.errors import OutsideRoot
from armillary.errors import NotFound
from armillary.fits.header import read_values

IMAGE, VIDEO = "image", "video"
THUMBNAIL = "thumbnail_png"
SIDECARS: Mapping[str, tuple[str, ...]] = MappingProxyType({IMAGE: (".png", ".jpg"), VIDEO: (".mov", ".mp4")})
"""The endings of files beside a FITS file of the same stem, the first of which is taken."""
SUFFIXES = (".fz", ".fits", ".fit", ".fts")
NO_IMAGE = "The data have no picture: no image of two or more axes is among them."
NO_TIME = (
    "The data have no movie: no axis of time or scans with more than one element is among those of the image."
)


class Where(StrEnum):
    """Where a picture or a movie comes from."""

    OPTION = "option"
    SIDECAR = "sidecar"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class MediaSource:
    """What a picture or movie is made of.

    ``fingerprint`` is a word for it: another one means that it has to be made anew. ``key`` is where the file lies
    in the store of its root, if it is not made of the data. ``lack`` tells why nothing can be made of it.
    """

    where: Where
    fingerprint: str
    key: str | None = None
    lack: str | None = None


async def source_of(
    objects: ObjectStore, version: Version, kind: str, named: str | None = None
) -> MediaSource:
    """Return what the picture (`IMAGE`) or the movie (`VIDEO`) of a version is made of; nothing is decoded.

    ``named`` is the path of a file below the root that goes before all else.

    Raises
    ------
    MediaSourceMissing
        If that is not there, or what there is leads out of the root.
    ArmillaryError
        If the store cannot tell.
    """
    if named:
        if (found := await _head(objects, named)) is None:
            raise MediaSourceMissing(f"There is no {named} in the root of {version.name}.")
        return of_file(Where.OPTION, found)
    for ending in SIDECARS[kind]:
        if (found := await _head(objects, beside(version, ending))) is not None:
            return of_file(Where.SIDECAR, found)
    return MediaSource(Where.DATA, f"data:{fingerprint(version)}", lack=_lack(version, kind))


async def _head(objects: ObjectStore, key: str) -> StoredObject | None:
    try:
        return await objects.head(key)
    except NotFound:
        return None
    except OutsideRoot:
        # What the store says of it names places of this machine, and this is told to whoever asks for the product.
        raise MediaSourceMissing(f"{key} leads out of its root; put the file itself there.") from None


def of_file(where: Where, stored: StoredObject) -> MediaSource:
    """Return a file as a source: path, size and time stand for its bytes."""
    told = (stored.key, stored.size, stored.mtime_ns)
    digest = blake2b(repr(told).encode(), digest_size=12).hexdigest()
    return MediaSource(where, f"file:{digest}", stored.key)


def beside(version: Version, ending: str) -> str:
    """Return the key of the file beside a version that has its stem and another ending."""
    stem, path = stem_of(version.name), version.location.path
    return f"{path}/{stem}{ending}" if path else f"{stem}{ending}"


def stem_of(name: str) -> str:
    """Return a logical name, or a path that ends in one, without the endings of FITS."""
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
    return name


def _lack(version: Version, kind: str) -> str | None:
    # Only here: arrays take long to load, and most who know of products draw none.
    from armillary.fits.planes import first_image, time_axis

    layout = version.layout()
    image = first_image(layout, map(read_values, layout.headers))
    if image is None:
        return NO_IMAGE
    return NO_TIME if kind == VIDEO and time_axis(image) is None else None
