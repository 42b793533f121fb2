"""Positions that a viewer interpolates are those of astropy, to a tenth of a pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from armillary.archive.products.tiles.models import SkyGrid
from armillary.archive.products.tiles.sky import sky_of
from tests.support.tiled import sky_header

WIDTH = 16_384


def sky(header: Any, width: int = WIDTH, height: int = WIDTH) -> SkyGrid | None:
    return sky_of(header.tostring().encode("ascii"), (width, height), (0, 1))


def interpolated(found: SkyGrid, x: float, y: float) -> tuple[float, float]:
    """Return the position of a pixel as a viewer finds it."""
    column, row = (
        min(int(np.searchsorted(at, value, side="right")) - 1, len(at) - 2)
        for at, value in ((np.array(found.x), x), (np.array(found.y), y))
    )
    along = (x - found.x[column]) / (found.x[column + 1] - found.x[column])
    up = (y - found.y[row]) / (found.y[row + 1] - found.y[row])
    total = np.zeros(3)
    weights = {(b, a): (up if b else 1 - up) * (along if a else 1 - along) for b in (0, 1) for a in (0, 1)}
    for (above, right), weight in weights.items():
        degrees = [np.array(one, float)[row + above, column + right] for one in (found.ra, found.dec)]
        ra, dec = np.radians(degrees)
        total += weight * np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    return float(np.degrees(np.arctan2(total[1], total[0])) % 360), float(
        np.degrees(np.arctan2(total[2], np.hypot(total[0], total[1])))
    )


def worst_px(header: Any, found: SkyGrid, width: int = WIDTH, height: int = WIDTH) -> float:
    """Return by how many pixels positions of random pixels are off, judged by astropy."""
    rng, wcs = np.random.default_rng(3), WCS(header)
    x, y = rng.uniform(0.5, width + 0.5, 400), rng.uniform(0.5, height + 0.5, 400)
    places = [interpolated(found, *pixel) for pixel in zip(x, y, strict=True)]
    back = wcs.all_world2pix(places, 1)
    return float(np.hypot(back[:, 0] - x, back[:, 1] - y).max())


@pytest.mark.parametrize(("ra", "dec"), [(150.0, 20.0), (10.0, 89.9), (0.1, -45.0), (200.0, -90.0)])
def test_a_degree_of_16_384_pixels_is_right_to_a_tenth_of_one(ra: float, dec: float) -> None:
    header = sky_header(WIDTH, WIDTH, ra=ra, dec=dec)
    found = sky(header)
    assert found is not None
    assert len(found.x) == 9
    assert worst_px(header, found) < 0.1
    assert found.error_px < 0.05


def test_distortions_make_the_grid_denser() -> None:
    header = sky_header(WIDTH, WIDTH)
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
    header.update({"A_ORDER": 3, "B_ORDER": 3, "A_3_0": 4e-11, "B_0_3": 4e-11, "A_2_0": 1e-7})
    found = sky(header)
    assert found is not None
    assert len(found.x) > 9
    assert worst_px(header, found) < 0.1


def test_galactic_images_are_told_in_equatorial_positions() -> None:
    header = sky_header(400, 300, ra=30.0, dec=5.0)
    header["CTYPE1"], header["CTYPE2"] = "GLON-TAN", "GLAT-TAN"
    found = sky(header, 400, 300)
    assert found is not None
    place = WCS(header).pixel_to_world(200.0 - 1, 150.0 - 1)
    ra, dec = interpolated(found, 200.0, 150.0)
    assert found.frame == "ICRS"
    assert SkyCoord(ra, dec, unit="deg").separation(place.icrs).arcsec < 0.01


def test_what_is_beyond_the_sky_has_no_position() -> None:
    header = fits.Header()
    header.update({"CTYPE1": "RA---AIT", "CTYPE2": "DEC--AIT", "CRPIX1": 180.5, "CRPIX2": 90.5})
    header.update({"CRVAL1": 0.0, "CRVAL2": 0.0, "CDELT1": -1.0, "CDELT2": 1.0})
    found = sky(header, 360, 180)
    assert found is not None
    assert found.ra[0][0] is None
    assert found.ra[len(found.y) // 2][len(found.x) // 2] is not None


@pytest.mark.parametrize(
    "cards",
    [
        {},
        {"CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN"},
        {"CTYPE1": "RA---TAN"},
        {"CTYPE1": "RA---XXX", "CTYPE2": "DEC--XXX"},
        {"CTYPE1": "WAVE", "CTYPE2": "DEC--TAN"},
    ],
)
def test_headers_without_a_sky_give_none(cards: dict[str, Any]) -> None:
    header = fits.Header()
    header.update(cards)
    assert sky(header, 100, 100) is None
