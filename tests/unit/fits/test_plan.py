from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.fits.draft import LARGE
from armillary.fits.edit import edit_header
from armillary.fits.errors import PlanMismatch
from armillary.fits.models import BLOCK, CardChange
from armillary.fits.plan import apply_plan, plan_headers, relayout
from tests.support.headers import a_file, a_layout, a_primary, values

DATA = a_file(cards=[(f"KEY{i}", i, "") for i in range(200)], extensions=2)
LAYOUT = a_layout(DATA)


def test_only_changed_blocks_are_written() -> None:
    header = bytearray(LAYOUT.headers[0])
    assert len(header) == 6 * BLOCK
    for block in (0, 2, 3):
        header[block * BLOCK + 30] ^= 1
    plan = plan_headers(LAYOUT, {0: bytes(header)})
    assert [(s.offset, len(s.old), len(s.new)) for s in plan.splices] == [
        (0, BLOCK, BLOCK),
        (2 * BLOCK, 2 * BLOCK, 2 * BLOCK),
    ]
    assert plan.in_place


def test_equal_headers_need_no_plan() -> None:
    assert plan_headers(LAYOUT, dict(enumerate(LAYOUT.headers))).splices == ()


def test_growth_moves_what_is_behind() -> None:
    plan = plan_headers(LAYOUT, {1: LAYOUT.headers[1] + b" " * BLOCK})
    (splice,) = plan.splices
    assert (splice.offset, splice.old, splice.new) == (LAYOUT.hdus[1].data_offset, b"", b" " * BLOCK)
    assert plan.size_after == len(DATA) + BLOCK


def test_header_of_broken_blocks_is_refused() -> None:
    with pytest.raises(PlanMismatch, match="HDU 1 has 100 bytes"):
        plan_headers(LAYOUT, {1: b" " * 100})


def test_plan_for_other_bytes_is_refused() -> None:
    header = LAYOUT.headers[0].replace(b"KEY5 ", b"KEYX ")
    plan = plan_headers(LAYOUT, {0: header})
    with pytest.raises(PlanMismatch, match="not those planned for"):
        apply_plan(apply_plan(DATA, plan), plan)
    with pytest.raises(PlanMismatch, match="bytes, here are"):
        apply_plan(DATA + b"x", plan)


@given(st.dictionaries(st.integers(0, 2), st.tuples(st.integers(0, 60), values), min_size=1), st.booleans())
def test_planned_file_has_the_new_headers_and_the_old_data(
    wanted: dict[int, tuple[int, object]], large: bool
) -> None:
    after = LARGE if large else 0
    headers = {
        hdu: edit_header(
            LAYOUT.headers[hdu],
            [CardChange(f"NEW{i}", value) for i in range(count)],  # type: ignore[arg-type]
            bytes_after=after,
        ).header
        for hdu, (count, value) in wanted.items()
    }
    plan = plan_headers(LAYOUT, headers)
    edited = apply_plan(DATA, plan)
    layout = relayout(LAYOUT, headers)
    assert a_layout(edited) == layout
    assert plan.size_after == layout.size == len(edited)
    for old, new in zip(LAYOUT.hdus, layout.hdus, strict=True):
        assert DATA[old.data_offset : old.end] == edited[new.data_offset : new.end]
    assert apply_plan(edited, plan.inverse()) == DATA


def test_shrinking_back_is_a_plan_too() -> None:
    grown = relayout(LAYOUT, {0: LAYOUT.headers[0] + b" " * BLOCK})
    plan = plan_headers(grown, {0: LAYOUT.headers[0]})
    assert plan.size_after == len(DATA)
    assert relayout(grown, {0: LAYOUT.headers[0]}) == LAYOUT


def test_file_without_final_fill_keeps_its_missing_bytes() -> None:
    data = DATA[:-100]
    layout = a_layout(data)
    headers = {0: layout.headers[0] + a_primary()}
    assert layout.trailing == relayout(layout, headers).trailing == -100
    assert len(apply_plan(data, plan_headers(layout, headers))) == relayout(layout, headers).size
