"""An observing day at a solar telescope: small cubes with SOLARNET headers, the same every time."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from armillary.fits.cards import format_card
from armillary.fits.models import BLOCK, Value

SHAPE = (2, 1, 3, 8, 8)
"""Scans, Stokes parameters, wavelengths, rows, columns."""
DAY = "2026-06-21"


@dataclass(frozen=True, slots=True)
class Cube:
    """What differs from cube to cube."""

    instrument: str
    filter: str
    time: str
    target: str
    release: str

    @property
    def name(self) -> str:
        """The name of the file."""
        begin = f"{DAY}T{self.time}"
        return f"nb_{self.filter}_{begin}_scans=0-1_corrected_im.fits"

    def cards(self) -> Mapping[str, Value]:
        """Return the keywords behind those of the structure."""
        hours, minutes, seconds = self.time.split(":")
        return {
            "EXTEND": True,
            "DATE": "2026-06-23T12:00:00",
            "SOLARNET": 0.5,
            "TELESCOP": "Swedish 1-m Solar Telescope",
            "INSTRUME": self.instrument,
            "OBJECT": self.target,
            "DATE-BEG": f"{DAY}T{self.time}",
            "DATE-END": f"{DAY}T{hours}:{int(minutes) + 5:02}:{seconds}.5",
            "POINT_ID": f"{DAY}T{self.time}",
            "FILTER1": self.filter,
            "FILENAME": self.name,
            "NSCANS": SHAPE[0],
            "XPOSURE": 0.012,
            "WAVELNTH": float(self.filter) / 10,
            "WAVEUNIT": -9,
            "RELEASE": self.release,
            "RELEASEC": "The day of release is public.",
        }


CUBES = (
    Cube("CHROMIS", "3950", "08:10:00", "Sunspot", DAY),
    Cube("CHROMIS", "3950", "08:40:00", "Plage", "2199-01-01"),
    Cube("CRISP", "6563", "08:10:00", "Sunspot", DAY),
)
"""The second one is not public yet."""


def make_cubes(directory: Path, cubes: Sequence[Cube] = CUBES) -> list[Path]:
    """Write cubes into a directory, which is made if it is not there; return their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, cube in enumerate(cubes):
        path = directory / cube.name
        path.write_bytes(_file(cube, number))
        paths.append(path)
    return paths


def _file(cube: Cube, number: int) -> bytes:
    axes = {f"NAXIS{axis}": size for axis, size in enumerate(reversed(SHAPE), 1)}
    cards: dict[str, Value] = {"SIMPLE": True, "BITPIX": 16, "NAXIS": len(SHAPE), **axes, **cube.cards()}
    header = b"".join(format_card(name, value) for name, value in cards.items()) + b"END".ljust(80)
    data = np.random.default_rng(number).integers(0, 4000, SHAPE).astype(">i2").tobytes()
    return _whole(header, b" ") + _whole(data, b"\0")


def _whole(content: bytes, fill: bytes) -> bytes:
    return content + fill * (-len(content) % BLOCK)


if __name__ == "__main__":
    made = make_cubes(Path(sys.argv[1] if len(sys.argv) > 1 else "day"))
    print(f"{len(made)} cubes in {made[0].parent}")
