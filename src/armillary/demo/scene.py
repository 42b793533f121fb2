"""Pictures that look like what telescopes see: stars, a galaxy, a gradient, cosmic rays, spectra, lamps.

All images are float32 counts with y first. Everything follows from the generators given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float32]
Random = np.random.Generator

BIAS_LEVEL = 1000.0
_READ_NOISE = 5.0
_SATURATION = 65535
_MOFFAT_BETA = 3.0


@dataclass(frozen=True, slots=True)
class Seeing:
    """State of the sky: counts per pixel of background and the width of a star, pixels."""

    background: float
    fwhm_px: float
    transparency: float = 1.0


def star_field(
    shape: tuple[int, int], seeing: Seeing, *, field: int, offset_px: tuple[float, float], galaxy: bool
) -> Image:
    """Return the expected counts of a field; the same ``field`` has the same stars, moved by the offset."""
    rng = np.random.default_rng(field)
    height, width = shape
    image = np.full(shape, seeing.background, np.float32)
    tilt_y, tilt_x = rng.uniform(-0.06, 0.06, 2)
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, width, dtype=np.float32)
    image *= 1 + np.float32(tilt_y) * rows + np.float32(tilt_x) * columns
    if galaxy:
        centre = height * 0.52 + offset_px[0], width * 0.47 + offset_px[1]
        _add_galaxy(image, centre, rng, peak=240.0 * seeing.transparency)
    count = 260
    places = rng.uniform(-40, [height + 40, width + 40], (count, 2)) + np.asarray(offset_px)
    fluxes = np.minimum(900.0 * rng.random(count) ** -1.3, 3e6) * seeing.transparency
    for (y, x), flux in zip(places.tolist(), fluxes.tolist(), strict=True):
        _add_star(image, y, x, flux, seeing.fwhm_px)
    # Light falls off towards the corners as in any camera.
    image *= 1 - np.float32(0.06) * (rows**2 + columns**2)
    return image


def _add_star(image: Image, y: float, x: float, flux: float, fwhm_px: float) -> None:
    reach = int(min(max(fwhm_px * (2 + flux**0.18), 10), 70))
    y0, y1 = max(int(y) - reach, 0), min(int(y) + reach + 1, image.shape[0])
    x0, x1 = max(int(x) - reach, 0), min(int(x) + reach + 1, image.shape[1])
    if y0 >= y1 or x0 >= x1:
        return
    alpha2 = fwhm_px**2 / (4 * (2 ** (1 / _MOFFAT_BETA) - 1))
    dy = np.arange(y0, y1, dtype=np.float32)[:, None] - y
    dx = np.arange(x0, x1, dtype=np.float32) - x
    norm = (_MOFFAT_BETA - 1) / (math.pi * alpha2) * flux
    image[y0:y1, x0:x1] += norm * (1 + (dy**2 + dx**2) / alpha2) ** -_MOFFAT_BETA


def _add_galaxy(image: Image, centre: tuple[float, float], rng: Random, *, peak: float) -> None:
    """Add an inclined disc with a bulge and two logarithmic arms."""
    scale, ratio = min(image.shape) * 0.075, float(rng.uniform(0.5, 0.8))
    angle, phase = rng.uniform(0, np.pi, 2).tolist()
    reach = int(scale * 5.5)
    y0, y1 = max(int(centre[0]) - reach, 0), min(int(centre[0]) + reach, image.shape[0])
    x0, x1 = max(int(centre[1]) - reach, 0), min(int(centre[1]) + reach, image.shape[1])
    dy = (np.arange(y0, y1, dtype=np.float32)[:, None] - centre[0]) / scale
    dx = (np.arange(x0, x1, dtype=np.float32) - centre[1]) / scale
    u = dx * math.cos(angle) + dy * math.sin(angle)
    v = (dy * math.cos(angle) - dx * math.sin(angle)) / ratio
    radius = np.hypot(u, v) + 1e-3
    arms = 1 + 0.75 * np.cos(2 * (np.arctan2(v, u) - 2.2 * np.log(radius + 0.15) + phase))
    disc = np.exp(-radius) * (1 + (arms - 1) * (1 - np.exp(-radius)))
    bulge = 6 * np.exp(-((radius / 0.2) ** 0.8))
    edge = np.clip((5.0 - radius) / 1.5, 0, 1)
    image[y0:y1, x0:x1] += peak * (disc + bulge) * edge


def flat_field(shape: tuple[int, int], level: float, *, field: int) -> Image:
    """Return the expected counts of an evenly lit frame: vignetting, dust rings, a few weak columns."""
    rng = np.random.default_rng(field)
    rows = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, shape[1], dtype=np.float32)
    image = np.float32(level) * (1 - np.float32(0.18) * (rows**2 + columns**2))
    for y, x in rng.uniform(0.1, 0.9, (7, 2)).tolist():
        _add_dust(image, int(y * shape[0]), int(x * shape[1]))
    image[:, rng.integers(0, shape[1], 3)] *= np.float32(0.7)
    return image


def _add_dust(image: Image, y: int, x: int) -> None:
    """Darken a ring, the shadow of a grain out of focus."""
    reach = np.arange(-40, 41, dtype=np.float32)
    ring = 1 - 0.05 * np.exp(-(((np.hypot(reach[:, None], reach) - 23) / 6) ** 2))
    image[y - 40 : y + 41, x - 40 : x + 41] *= ring


def lamp_lines(shape: tuple[int, int], *, field: int) -> Image:
    """Return the expected counts of an arc lamp: emission lines along columns, slightly curved."""
    rng = np.random.default_rng(field)
    image = np.full(shape, 20, np.float32)
    rows = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    columns = np.arange(shape[1], dtype=np.float32)
    for place, power in zip(
        rng.uniform(8, shape[1] - 12, 45).tolist(), rng.pareto(1.1, 45).tolist(), strict=True
    ):
        near = slice(int(place) - 8, int(place) + 12)
        bent = columns[near] - place - 3 * rows**2
        image[:, near] += min(400 * (power + 0.3), 40000) * np.exp(-((bent / 1.6) ** 2))
    return image


def long_slit(shape: tuple[int, int], level: float, *, field: int) -> Image:
    """Return the expected counts of a long-slit spectrum: a trace with absorption, and night-sky lines."""
    rng = np.random.default_rng(field)
    rows = np.arange(shape[0], dtype=np.float32)[:, None]
    columns = np.linspace(0, 1, shape[1], dtype=np.float32)
    spectrum = level * (0.4 + np.sin(np.pi * columns) * (1.1 - 0.5 * columns))
    for place in rng.uniform(0.1, 0.9, 6):
        spectrum *= 1 - 0.55 * np.exp(-(((columns - place) / 0.006) ** 2))
    trace = shape[0] * 0.5 + 6 * (columns - 0.5)
    image = spectrum * np.exp(-(((rows - trace) / 3.0) ** 2)) + 60
    for place, power in zip(rng.beta(3, 1.5, 30), rng.pareto(1.5, 30), strict=True):
        image += 120 * power * np.exp(-(((columns - place) / 0.0016) ** 2))
    expected: Image = image.astype(np.float32)
    return expected


def exposed(image: Image, rng: Random, *, gain: float, cosmic_rays: int = 0) -> npt.NDArray[np.uint16]:
    """Return what a camera reads out: photon and read noise, bias, cosmic rays, saturation."""
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    counts = image + noise * np.sqrt(np.maximum(image, 0) / np.float32(gain) + np.float32(_READ_NOISE**2))
    for _ in range(cosmic_rays):
        _add_cosmic_ray(counts, rng)
    read_out: npt.NDArray[np.uint16] = np.clip(counts + np.float32(BIAS_LEVEL), 0, _SATURATION).astype(
        np.uint16
    )
    return read_out


def _add_cosmic_ray(counts: Image, rng: Random) -> None:
    length, angle = rng.integers(1, 18), rng.uniform(0, 2 * np.pi)
    steps = np.arange(length)
    y = (rng.uniform(0, counts.shape[0]) + steps * np.sin(angle)).astype(int)
    x = (rng.uniform(0, counts.shape[1]) + steps * np.cos(angle)).astype(int)
    within = (y >= 0) & (y < counts.shape[0]) & (x >= 0) & (x < counts.shape[1])
    counts[y[within], x[within]] += np.float32(rng.uniform(800, 9000))
