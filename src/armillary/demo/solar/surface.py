"""What the surface of the Sun looks like through a narrow filter, about."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from armillary.demo.solar.cube import SolarCube

Image = NDArray[np.float32]
UNIT = 1e-12
"""W m-2 Hz-1 sr-1 in which intensities are whole numbers."""
CONTINUUM = 20000.0
GRANULE_PIXELS, CONTRAST = 9.0, 0.08
LINE_DEPTH, LINE_WIDTH_NM = 0.7, 0.006
SPOT, SPOT_DEPTH = 0.08, 0.75
"""Radius of the spot as a fraction of the width, and how much darker its middle is."""
POLARISED = (1.0, 0.01, -0.008, 0.03)
"""How strong I, Q, U and V are."""


class Surface:
    """Makes the planes of a cube one by one."""

    def __init__(self, cube: SolarCube) -> None:
        self._cube = cube
        self._granules = _granulation(cube.width, cube.height, cube.seed)
        self._line = [
            1.0 - LINE_DEPTH * float(np.exp(-(((nm - float(cube.filter) / 10) / LINE_WIDTH_NM) ** 2)))
            for nm in cube.wavelengths_nm
        ]

    def planes(self) -> Iterator[tuple[tuple[int, int, int], NDArray[np.int16]]]:
        """Yield (scan, Stokes parameter, wavelength) and plane, in the order of the file, in `UNIT`."""
        for scan in range(len(self._cube.scans)):
            scene = self._scene(scan)
            for stokes in range(self._cube.stokes):
                for wave in range(self._cube.wavelengths):
                    yield (scan, stokes, wave), self._plane(scene, (scan, stokes, wave))

    def _scene(self, scan: int) -> Image:
        """Return the Sun in white light: granules that wander, and the spot."""
        scene = np.roll(self._granules, (scan, 2 * scan), (0, 1))
        return scene if self._cube.feature is None else scene * self._spot(self._cube.feature, scan)

    def _spot(self, feature: tuple[float, float], scan: int) -> Image:
        cube = self._cube
        x = (feature[0] + scan * cube.drift[0]) % 1.0 * cube.width
        y = (feature[1] + scan * cube.drift[1]) % 1.0 * cube.height
        radius = SPOT * cube.width
        across = np.exp(-(((np.arange(cube.width) - x) / radius) ** 2)).astype(np.float32)
        along = np.exp(-(((np.arange(cube.height) - y) / radius) ** 2)).astype(np.float32)
        return np.asarray(1.0 - SPOT_DEPTH * along[:, None] * across, np.float32)

    def _plane(self, scene: Image, place: tuple[int, int, int]) -> NDArray[np.int16]:
        plane = scene * np.float32(self._line[place[2]] * POLARISED[place[1] % len(POLARISED)])
        if self._cube.noise:
            dice = np.random.default_rng((self._cube.seed, *place))
            plane += dice.standard_normal(plane.shape, np.float32) * np.float32(self._cube.noise)
        return np.asarray(np.rint(np.clip(plane * np.float32(CONTINUUM), -32000, 32000)), np.int16)


def _granulation(width: int, height: int, seed: int) -> Image:
    """Return noise of the size of granules, with mean 1, that fits to itself at the edges."""
    noise = np.random.default_rng(seed).standard_normal((height, width))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)) * GRANULE_PIXELS
    band = frequency * np.exp(-(frequency**2))
    pattern = np.fft.irfft2(np.fft.rfft2(noise) * band, s=(height, width))
    spread = float(pattern.std()) or 1.0
    # Rounded, so that another library of Fourier transforms gives the same bytes.
    return np.asarray(1.0 + np.round(CONTRAST * pattern / spread, 5), np.float32)
