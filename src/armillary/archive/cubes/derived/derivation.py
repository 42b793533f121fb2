"""What is derived from the extensions of a cube, and from which HDUs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from armillary.archive.cubes.derived import coverage, seeing, spectral_line
from armillary.archive.cubes.reading import CubeFile
from armillary.fits.models import Layout, ReadAt
from armillary.fits.series import HeaderValues

JSON, SVG = "application/json", "image/svg+xml"


class DerivedKind(StrEnum):
    """What can be derived."""

    R0 = "r0"
    SPECTRAL_LINE = "spectral_line"
    SPECTRAL_LINE_SVG = "spectral_line_svg"
    WCS = "wcs"


@dataclass(frozen=True, slots=True)
class Derived:
    """A derived value; ``content`` is None if its extension is there and tells nothing, as ``warnings`` say.

    ``hdus`` are the indices of those that it came from.
    """

    kind: DerivedKind
    media_type: str
    content: bytes | None
    hdus: tuple[int, ...]
    warnings: tuple[str, ...] = ()


Contents = Mapping[DerivedKind, tuple[str, bytes | None]]
"""Media type and bytes of what one maker makes."""


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes one kind or several: ``needed`` are the extensions without which there are none."""

    kinds: tuple[DerivedKind, ...]
    needed: tuple[str, ...]
    used: tuple[str, ...]
    make: Callable[[CubeFile], Contents]

    def hdus(self, cube: CubeFile) -> tuple[int, ...]:
        """Return the HDUs that are read, the primary one first; none if one that is needed is not there."""
        if len(_indices(cube, self.needed)) < len(self.needed):
            return ()
        return (0, *_indices(cube, self.used))


def uses(layout: Layout, values: HeaderValues) -> dict[DerivedKind, tuple[int, ...]]:
    """Return which HDUs each kind is derived from, for the kinds that a file may have; no data are read."""
    cube = CubeFile(_nothing, layout, values.headers)
    return {kind: hdus for maker in _MAKERS if (hdus := maker.hdus(cube)) for kind in maker.kinds}


def derive(read: ReadAt, layout: Layout, values: HeaderValues) -> list[Derived]:
    """Return what a file has to derive, of the kinds of `uses`; strange input gives warnings, never a failure.

    Of the data only the cells of the extensions are read, never the image.
    """
    found = []
    for maker in _MAKERS:
        cube = CubeFile(read, layout, values.headers)
        if hdus := maker.hdus(cube):
            contents = maker.make(cube)
            # What is made beside something else does not repeat its warnings.
            told = {maker.kinds[0]: tuple(dict.fromkeys(cube.warnings))}
            found += [Derived(kind, *contents[kind], hdus, told.get(kind, ())) for kind in maker.kinds]
    return found


def _seeing(cube: CubeFile) -> Contents:
    return {DerivedKind.R0: (JSON, _json(seeing.seeing_of(cube)))}


def _line(cube: CubeFile) -> Contents:
    profile = spectral_line.spectral_line_of(cube)
    picture = spectral_line.picture_of(profile) if profile else None
    return {
        DerivedKind.SPECTRAL_LINE: (JSON, _json(profile)),
        DerivedKind.SPECTRAL_LINE_SVG: (SVG, picture.encode("ascii") if picture else None),
    }


def _coverage(cube: CubeFile) -> Contents:
    found = coverage.coverage_of(cube)
    return {DerivedKind.WCS: (JSON, _json(found.document() if found else None))}


_MAKERS = (
    _Maker((DerivedKind.R0,), (seeing.SEEING,), seeing.USED, _seeing),
    _Maker(
        (DerivedKind.SPECTRAL_LINE, DerivedKind.SPECTRAL_LINE_SVG),
        spectral_line.USED,
        spectral_line.USED,
        _line,
    ),
    _Maker((DerivedKind.WCS,), (), coverage.USED, _coverage),
)


def _json(value: dict[str, Any] | None) -> bytes | None:
    return (
        None if value is None else json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")
    )


def _indices(cube: CubeFile, names: Iterable[str]) -> list[int]:
    return [index for name in names if (index := cube.index(name)) is not None]


def _nothing(offset: int, size: int) -> bytes:
    raise AssertionError(f"{size} bytes at {offset} are not needed to look at headers")
