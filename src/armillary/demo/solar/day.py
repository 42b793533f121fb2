"""An observing day at a solar telescope: cubes of eight pointings with pictures beside them, the same every time.

Among them is what archives meet: cubes that are not public yet, one that was exported again, a mosaic, cubes with
fewer axes, without some extensions, with undefined pixels, and with words that no vocabulary knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from armillary.demo.solar.cube import AXES, SolarCube, iso
from armillary.demo.solar.surface import Surface
from armillary.demo.solar.writing import write_cube

FIRST = datetime(2026, 6, 21, 7, 30, tzinfo=UTC)
STEP = timedelta(minutes=40)
LATER = "2026-07-14T09:30:00"
"""When one of the cubes was exported again."""
SECRET = "2199-01-01"  # noqa: S105  # a day of release
VOCABULARIES: Mapping[str, Sequence[str]] = {
    "FEATURES": ("Sunspot", "Penumbra", "Light bridge", "Pore", "Plage", "Filament", "Quiet Sun", "Flare"),
    "EVENTS": ("Flare", "Flux emergence", "Surge", "Ellerman bomb"),
}
PICTURE_SCALE = 4


@dataclass(frozen=True, slots=True)
class Filed:
    """A cube of the day, where its file lies below the directory, and whether a picture lies beside it."""

    cube: SolarCube
    path: str
    pictured: bool = False


@dataclass(frozen=True, slots=True)
class _Pointing:
    """A place on the Sun, and what is seen there."""

    target: str
    centre: tuple[float, float]
    features: str | None
    events: str | None = "MISSING"
    feature: tuple[float, float] | None = (0.4, 0.5)


_POINTINGS = (
    _Pointing("AR 14100", (-312.5, 140.25), "Sunspot, Penumbra", "Flare"),
    _Pointing("AR 14100", (-298.0, 141.0), "sunspot,light bridge", "Flare, Surge"),
    _Pointing("Quiet Sun", (4.5, -12.0), "Quiet Sun", "MISSING", None),
    _Pointing("Plage", (455.2, 210.4), "Plage, Pore", "Flux emergence"),
    _Pointing("AR 14102", (610.8, -180.3), "Sunspot, Flare", "Flare, Ellerman bomb"),
    _Pointing("Filament", (-120.0, -415.7), "Filament, Fibril", None, None),
    _Pointing("North limb", (12.0, 938.5), "MISSING", None, None),
    _Pointing("AR 14103", (-702.1, 95.6), "Pore", "Flux emergence", (0.6, 0.3)),
)
"""Fibrils are in no vocabulary."""
_SETUPS: Sequence[Mapping[str, Any]] = (
    {"instrument": "CRISP", "filter": "6563", "wavelengths": 7, "scans": (0, 1, 2)},
    {"instrument": "CRISP", "filter": "6302", "wavelengths": 5, "scans": (0, 1), "stokes": 4},
    {"instrument": "CHROMIS", "filter": "3950", "wavelengths": 9, "scans": (0, 1)},
)
_ODD: Mapping[tuple[int, int], Mapping[str, Any]] = {
    (0, 2): {"border": 3},
    (1, 0): {"scans": (1, 2, 3, 7, 8, 12), "named_scans": False},
    (1, 1): {"release": SECRET, "release_comment": "Students of the observers work on it."},
    (2, 0): {"axes": AXES[:2], "scans": (0,), "wavelengths": 1, "suffix": "wideband_im"},
    (2, 2): {"axes": AXES[:3], "scans": (4,)},
    (3, 1): {"axes": AXES[:4], "scans": (0,)},
    (3, 2): {"without": frozenset({"VAR-EXT-ATMOS_R0"})},
    (4, 0): {"bitpix": 16, "border": 2},
    (4, 2): {"release": SECRET, "release_comment": "To be published with a paper."},
    (5, 1): {"without": frozenset({"WCS-TAB"}), "wcs": frozenset({"alternate"})},
    (6, 0): {"made": ""},
    (7, 2): {"without": frozenset({"VAR-EXT-DATE-BEG", "VAR-EXT-DATE-END"})},
}
"""What is different about some cubes, by the numbers of pointing and setup."""
_MOSAIC, _AGAIN = 5, (0, 1)


def cubes_of_day() -> list[Filed]:
    """Return the cubes of the day in their order, and at last the one that was exported again."""
    day = [_filed(pointing, setup) for pointing in range(len(_POINTINGS)) for setup in range(len(_SETUPS))]
    first = day[_AGAIN[0] * len(_SETUPS) + _AGAIN[1]]
    again = replace(first.cube, made=LATER, suffix="corrected_again_im", features="Sunspot, Penumbra, Pore")
    return [*day, Filed(again, f"{again.instrument}/again/{again.name}", pictured=True)]


def write_day(directory: Path, *, vocabularies: Path | None = None) -> list[Path]:
    """Write the day below a directory, which is made if it is not there; files that are there stay as they are.

    Parameters
    ----------
    vocabularies
        A directory for the words of its FEATURES and EVENTS, as ``features.txt`` and ``events.txt``.

    Returns
    -------
    list
        The FITS files, in the order of `cubes_of_day`; pictures lie beside some of them, with their stems.
    """
    if vocabularies is not None:
        write_vocabularies(vocabularies)
    return [_written(directory / filed.path, filed) for filed in cubes_of_day()]


def write_vocabularies(directory: Path) -> dict[str, Path]:
    """Write the words of its FEATURES and EVENTS into files of a directory; return these by keyword."""
    directory.mkdir(parents=True, exist_ok=True)
    files = {name: directory / f"{name.lower()}.txt" for name in VOCABULARIES}
    for name, terms in VOCABULARIES.items():
        files[name].write_text("".join(f"{one}\n" for one in terms))
    return files


def _filed(pointing: int, setup: int) -> Filed:
    seen, begin = _POINTINGS[pointing], FIRST + pointing * STEP
    said: dict[str, Any] = {
        **_SETUPS[setup],
        "begin": begin + timedelta(seconds=2.5 * setup),
        "point_id": iso(begin) + ("_mosaic" if pointing == _MOSAIC else ""),
        "target": seen.target,
        "centre_arcsec": seen.centre,
        "features": seen.features,
        "events": seen.events,
        "feature": seen.feature,
        "width": 96,
        "height": 64,
        "seed": 1 + pointing,
    }
    cube = SolarCube(**{**said, **_ODD.get((pointing, setup), {})})
    return Filed(cube, f"{cube.instrument}/{cube.name}", pictured=setup != 1)


def _written(path: Path, filed: Filed) -> Path:
    if path.exists():
        return path
    if filed.pictured:
        # Before the cube, so that whoever sees that one finds both.
        path.parent.mkdir(parents=True, exist_ok=True)
        _picture(filed.cube).save(path.with_suffix(".png"))
    return write_cube(path.parent, filed.cube, name=path.name)


def _picture(cube: SolarCube) -> Image.Image:
    """Return the first plane of a cube as people look at it: north is up."""
    plane = _first(Surface(cube).planes()).astype(np.float64)
    low, high = np.percentile(plane, (1.0, 99.5))
    shown = (np.clip((plane - low) / max(high - low, 1.0), 0.0, 1.0) * 255).astype(np.uint8)[::-1]
    size = (cube.width * PICTURE_SCALE, cube.height * PICTURE_SCALE)
    return Image.fromarray(shown).resize(size, Image.Resampling.BICUBIC)


def _first(planes: Iterable[tuple[object, NDArray[np.int16]]]) -> NDArray[np.int16]:
    for _, plane in planes:
        return plane
    raise AssertionError("a cube has planes")
