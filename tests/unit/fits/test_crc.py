from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.fits.crc import crc64, crc64_combine, crc64_fold, crc64_shift, crc64_splice
from armillary.fits.models import EditPlan, Splice
from armillary.fits.plan import apply_plan


def test_check_value_is_that_of_the_catalogue() -> None:
    # CRC-64/NVME in the catalogue of parametrised CRC algorithms: check 0xae8b14860a799888.
    assert crc64(b"123456789") == 0xAE8B14860A799888


@given(st.binary(), st.binary())
def test_crc_of_two_runs_is_combined(first: bytes, second: bytes) -> None:
    whole = crc64(first + second)
    assert crc64(second, crc64(first)) == whole
    assert crc64_combine(crc64(first), crc64(second), len(second)) == whole


@given(st.lists(st.binary(max_size=100)))
def test_crcs_of_runs_are_folded(parts: list[bytes]) -> None:
    assert crc64_fold([(crc64(part), len(part)) for part in parts]) == crc64(b"".join(parts))


@given(st.integers(0, (1 << 64) - 1), st.integers(0, 1 << 40), st.integers(0, 1 << 40))
def test_shifts_add_up(crc: int, first: int, second: int) -> None:
    assert crc64_shift(crc64_shift(crc, first), second) == crc64_shift(crc, first + second)
    assert crc64_shift(crc, 0) == crc


@given(st.integers(0, 1 << 32), st.sets(st.integers(0, 49), min_size=1))
def test_spliced_crc_is_that_of_the_edited_file(seed: int, places: set[int]) -> None:
    rng = random.Random(seed)
    data = rng.randbytes(5000 + rng.randrange(50))
    splices = tuple(Splice(100 * p, data[100 * p : 100 * p + 60], rng.randbytes(60)) for p in sorted(places))
    plan = EditPlan(splices, len(data))
    assert crc64_splice(crc64(data), plan) == crc64(apply_plan(data, plan))
    assert crc64_splice(crc64_splice(crc64(data), plan), plan.inverse()) == crc64(data)


def test_moving_plan_is_refused() -> None:
    with pytest.raises(ValueError, match="crc64_fold"):
        crc64_splice(0, EditPlan((Splice(0, b"", b"x"),), 10))
