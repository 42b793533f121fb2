"""The quick way through runs of good values chooses what the plain way chooses."""

from __future__ import annotations

import numpy as np
import pytest

from armillary.fits import zscale


@pytest.mark.parametrize("bad", [0.0, 0.002, 0.02, 0.3, 1.0])
@pytest.mark.parametrize("count", [5, 12, 100, 1000])
def test_what_agrees_in_a_run_is_what_agrees_among_all(count: int, bad: float) -> None:
    chance = np.random.default_rng([count, int(1000 * bad)])
    places, width = np.arange(count), max(1, count // 100)
    for _ in range(300):
        start, stop = np.sort(chance.integers(0, count + 1, 2))
        near = chance.random(stop - start) >= bad
        whole = np.zeros(count, np.bool_)
        whole[start:stop] = near
        quick, kept = zscale.agreeing_in_run(near.tobytes(), int(start), count, width)
        plain, same = zscale.agreeing(whole, width)
        assert kept == same == len(places[quick])
        np.testing.assert_array_equal(places[quick], places[plain])
