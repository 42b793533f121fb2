"""Tiles hold what an independent reckoning finds: means without holes, steps below the noise, pixels as stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armillary.fits.planes import Plane
from armillary.fits.pyramid import build
from armillary.fits.rasters import SIDE, coarsest, tiles_at
from armillary.fits.statistics import PERCENTS
from armillary.fits.tilings import UNDEFINED, Tile, halved, quantised, tile_of, values_of
from tests.support.tiled import DTYPES, Array, decoded

SIDES = st.integers(1, 13)


def plane_of(values: Array, **options: Any) -> Plane:
    """Return an array as a plane."""
    height, width = values.shape
    return Plane(width, height, values[0].nbytes, lambda first, last: values[first:last], **options)


def shown(tile: Tile | None) -> Array:
    assert tile is not None
    numbers = np.frombuffer(tile.content, DTYPES[tile.kind])
    assert numbers.size == tile.width * tile.height
    return decoded(
        tile.content, tile.kind, tile.width, tile.height, scale=tile.scale, zero=tile.zero, blank=tile.blank
    )


@settings(max_examples=80)
@given(SIDES, SIDES, st.sampled_from(["f4", "f8"]), st.integers(0, 1 << 30), st.floats(0, 1))
def test_halves_are_the_means_of_what_has_a_value(
    height: int, width: int, dtype: str, seed: int, holes: float
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 10, (height, width)).astype(dtype)
    values[rng.random(values.shape) < holes] = np.nan
    found = halved(values)
    assert found.shape == (-(-height // 2), -(-width // 2))
    assert found.dtype == values.dtype
    for y in range(found.shape[0]):
        for x in range(found.shape[1]):
            cell = values[2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
            known = cell[np.isfinite(cell)].astype("f8")
            if known.size:
                assert found[y, x] == pytest.approx(known.mean(), abs=1e-4)
            else:
                assert np.isnan(found[y, x])


def test_halves_of_the_largest_numbers_are_no_infinity() -> None:
    top = np.finfo("f4").max
    assert halved(np.full((2, 2), top, "f4"))[0, 0] == pytest.approx(top, rel=1e-5)
    assert halved(np.array([[top, np.nan], [top, -top]], "f4"))[0, 0] == pytest.approx(top / 3, rel=1e-5)


@pytest.mark.parametrize("outlier", [0.0, 1e3, 1e9, -1e9, 1e38])
def test_means_are_kept_to_a_part_of_the_noise_or_of_the_range(outlier: float) -> None:
    values = np.random.default_rng(1).normal(1000, 20, (SIDE, SIDE)).astype("f4")
    values[10, 20] += outlier
    values[30, 40] = np.nan
    found = shown(quantised(values))
    bound = max(20 / 10, (np.nanmax(values).astype("f8") - np.nanmin(values)) / 65_000)
    assert np.nanmax(np.abs(found - values)) <= bound / 2 * 1.01
    np.testing.assert_array_equal(np.isnan(found), np.isnan(values))


@pytest.mark.parametrize("value", [0.0, -5.25, 3e38, 1e-40])
def test_a_tile_of_one_value_is_that_value(value: float) -> None:
    np.testing.assert_array_equal(shown(quantised(np.full((3, 5), value, "f4"))), np.float32(value))


def test_a_tile_without_any_value_is_none() -> None:
    assert quantised(np.full((4, 4), np.nan, "f4")) is None
    whole = quantised(np.array([[1.0, np.nan]], "f4"))
    assert whole is not None
    assert whole.blank == UNDEFINED


@pytest.mark.parametrize("dtype", ["u1", ">i2", ">u2", ">i4", ">f4", ">f8", ">i8", ">u4"])
def test_pixels_are_sent_as_they_are(dtype: str) -> None:
    values = np.arange(-3, 9).astype(dtype).reshape(3, 4)
    plane = plane_of(values, scale=2.0, zero=10.0, blank=None)
    tile = tile_of(values, plane)
    np.testing.assert_array_equal(shown(tile), values.astype("f8") * 2 + 10)
    np.testing.assert_allclose(values_of(values, plane), values.astype("f8") * 2 + 10)


@pytest.mark.parametrize("dtype", ["u1", ">i2", ">i4", ">i8"])
def test_blanks_have_no_value(dtype: str) -> None:
    values = np.array([[7, 1], [2, 7]], dtype)
    plane = plane_of(values, blank=7)
    for found in (shown(tile_of(values, plane)), values_of(values, plane)):
        np.testing.assert_array_equal(found, [[np.nan, 1], [2, np.nan]])


@pytest.mark.parametrize(
    ("width", "height"), [(1, 1), (255, 256), (257, 3), (3, 700), (513, 1025), (2000, 300)]
)
def test_a_pyramid_has_all_its_tiles_and_no_other(width: int, height: int) -> None:
    values = np.random.default_rng(2).normal(5, 1, (height, width)).astype("f4")
    found: dict[tuple[int, int, int], Tile | None] = {}

    def keep(level: int, column: int, row: int, tile: Tile | None) -> None:
        assert (level, column, row) not in found
        found[level, column, row] = tile

    statistics = build(plane_of(values), keep, whole=True)
    top = coarsest(width, height)
    wanted = set()
    for level in range(top + 1):
        columns, rows = tiles_at(level, width, height)
        wanted |= {(level, column, row) for column in range(columns) for row in range(rows)}
    assert found.keys() == wanted
    assert tiles_at(top, width, height) == (1, 1)
    assert statistics is not None
    assert (statistics.low, statistics.high, statistics.undefined) == (values.min(), values.max(), 0)
    np.testing.assert_allclose(statistics.percentiles, np.percentile(values, PERCENTS), rtol=1e-6)
    if top:
        last = shown(found[top, 0, 0])
        assert last.mean() == pytest.approx(values.mean(), abs=0.2)


def test_statistics_of_a_sample_are_near_those_of_all() -> None:
    values = np.random.default_rng(3).normal(100, 10, (1500, 3000)).astype("f4")
    statistics = build(plane_of(values), lambda *_: None, whole=False)
    assert statistics is not None
    assert statistics.sample < values.size
    np.testing.assert_allclose(statistics.percentiles, np.percentile(values, PERCENTS), atol=0.5)
    assert sum(statistics.histogram.counts) == pytest.approx(statistics.sample * 0.99, rel=0.001)


def test_statistics_at_the_ends_of_floating_point_are_numbers() -> None:
    values = np.array([[-1.7e308, 1.7e308, 0.0, np.inf]] * 40)
    statistics = build(plane_of(values), lambda *_: None, whole=False)
    assert statistics is not None
    assert np.isfinite([statistics.low, statistics.high, *statistics.percentiles, *statistics.zscale]).all()
    assert statistics.undefined == 40
