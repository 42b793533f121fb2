"""Tiles of stored files, made in a child process, which loads no more than this needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import msgspec

from armillary.archive.products.drawing import read_at
from armillary.archive.products.tiles.atlas import Chart, Writer
from armillary.archive.products.tiles.models import TiledSubject
from armillary.errors import ArmillaryError
from armillary.fits import tilings
from armillary.fits.bzip2 import Block
from armillary.fits.bzip2.places import Mark, Places, blocks_in
from armillary.fits.containers import Container, open_logical
from armillary.fits.header import read_values
from armillary.fits.models import ReadAt
from armillary.fits.planes import PackedImage, PlainImage, Plane, image_of
from armillary.fits.pyramid import build
from armillary.fits.rasters import SIDE, Raster, Statistics, coarsest, tiles_at
from armillary.fits.statistics import Survey
from armillary.fits.tilings import Tile

TILE_PIXELS = 16 << 20
"""Pixels of a compressed tile of a file above which it takes too long to decode while somebody waits."""


def make(fd: int, subject: TiledSubject) -> bytes:
    """Return the tiles of an opened file as one object; nothing if there are none to be made."""
    read, places = _opened(fd, subject)
    writer = Writer()
    for raster in subject.wanted():
        header = subject.layout.headers[raster.hdu.index]
        try:
            _add(writer, raster, header, read, subject)
        except ArmillaryError as error:
            # The other images of the file may be sound.
            writer.charts.append(
                Chart(
                    raster.hdu.index,
                    raster.width,
                    raster.height,
                    first=len(writer.entries),
                    why=error.message,
                )
            )
    return writer.finish(places.all_lengths() if places else {}) if writer.charts else b""


def _opened(fd: int, subject: TiledSubject) -> tuple[ReadAt, Places | None]:
    """Return what reads the uncompressed bytes of a file, and its blocks if it is compressed by bzip2."""
    if subject.container is not Container.BZ2:
        return _logical(fd, subject.container, subject.max_unpacked), None
    places = Places(partial(read_at, fd), blocks_in(fd), {})
    return places.read, places


def _add(writer: Writer, raster: Raster, header: bytes, read: ReadAt, subject: TiledSubject) -> None:
    plane = _plane(raster, header, read)
    cuttable = subject.container is not Container.GZ and (
        plane.tiled is None or plane.tiled.tile_pixels <= TILE_PIXELS
    )
    whole = not cuttable and plane.row_bytes * plane.height <= subject.whole
    found: dict[tuple[int, int, int], bytes] = {}
    kinds: list[tuple[str, int | None]] = []

    def keep(level: int, column: int, row: int, tile: Tile | None) -> None:
        if level == 0 and tile and not kinds:
            kinds.append((tile.kind, tile.blank))
        content, scale, zero = (tile.content, tile.scale, tile.zero) if tile else (None, 1.0, 0.0)
        found[level, row, column] = writer.entry(content, scale, zero)

    statistics = build(plane, keep, whole=whole)
    kind, blank = kinds[0] if kinds else ("", None)
    place = writer.add(msgspec.json.encode(statistics))
    chart = Chart(
        raster.hdu.index,
        raster.width,
        raster.height,
        finest=0 if whole else 1,
        first=len(writer.entries),
        cuttable=cuttable,
        kind=kind,
        blank=blank,
        statistics=place,
    )
    for level in range(chart.finest, coarsest(chart.width, chart.height) + 1):
        columns, rows = tiles_at(level, chart.width, chart.height)
        writer.entries += [found[level, row, column] for row in range(rows) for column in range(columns)]
    writer.charts.append(chart)


@dataclass(frozen=True, slots=True)
class Source:
    """How the bytes of a file are unpacked: by the blocks of bzip2 that are asked for, if they are known."""

    container: Container
    max_unpacked: int
    blocks: Sequence[Block] = ()
    lengths: Mapping[Mark, int] = field(default_factory=dict)


def located(fd: int, source: Source) -> Source:
    """Return a bzip2 file with all its blocks; those of which the length is not known are decoded."""
    blocks = blocks_in(fd)
    places = Places(partial(read_at, fd), blocks, source.lengths)
    return replace(source, blocks=blocks, lengths=places.all_lengths())


def cut(fd: int, raster: Raster, header: bytes, source: Source, columns: range, row: int) -> list[Tile]:
    """Return tiles of an image of an opened file at its full size that lie side by side.

    Most writers compress rows one by one, so the neighbours of a tile are decoded with it anyway.
    """
    if source.blocks:
        read: ReadAt = Places(partial(read_at, fd), source.blocks, source.lengths).read
    else:
        read = _logical(fd, source.container, source.max_unpacked)
    return tilings.cut(_image(raster, header), read, columns, row)


def survey(
    fd: int, raster: Raster, header: bytes, container: Container, max_unpacked: int
) -> Statistics | None:
    """Return what the values of an image of an opened file are like; None if there are none."""
    plane = _plane(raster, header, _logical(fd, container, max_unpacked))
    seen = Survey(plane.width, plane.height)
    for first in range(0, plane.height, SIDE):
        pixels = plane.rows(first, min(first + SIDE, plane.height))
        seen.see(tilings.values_of(pixels, plane), first)
    return seen.found()


def _logical(fd: int, container: Container, max_unpacked: int) -> ReadAt:
    return open_logical(partial(read_at, fd), container, limit=max_unpacked)


def _plane(raster: Raster, header: bytes, read: ReadAt) -> Plane:
    return _image(raster, header).plane(read)


def _image(raster: Raster, header: bytes) -> PlainImage | PackedImage:
    image = image_of(raster.hdu, header, read_values(header))
    if image is None:
        raise ValueError(f"HDU {raster.hdu.index} is no image")
    return image
