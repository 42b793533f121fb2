"""Plans carried out in place, simulated on bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.base.store.change import (
    Block,
    Change,
    Standing,
    block_standing,
    change_of,
    is_landed,
    is_pristine,
    shift_bytes,
    standing,
)
from armillary.fits.models import EditPlan, ReadAt, Splice
from tests.support.stores import edited, some_bytes

GRANULE = 64
DATA = some_bytes(1)[:1000]


def reader(data: bytes) -> ReadAt:
    return lambda offset, size: data[offset : offset + size]


@st.composite
def plans(draw: st.DrawFn, *, sizes: st.SearchStrategy[int]) -> EditPlan:
    """Draw plans of up to four splices over `DATA`; ``sizes`` gives how much longer a new part is."""
    cuts = sorted(draw(st.sets(st.integers(0, len(DATA)), min_size=2, max_size=8)))
    splices = []
    for start, stop in zip(cuts[::2], cuts[1::2], strict=False):
        size = max(0, stop - start + draw(sizes))
        splices.append(Splice(start, DATA[start:stop], draw(st.binary(min_size=size, max_size=size))))
    return EditPlan(tuple(splices), len(DATA))


def carried_out(change: Change) -> bytes:
    data = bytearray(shift_bytes(DATA, change.shift) if change.shift else DATA)
    assert standing(change, reader(bytes(data))) in (Standing.OLD, Standing.NEW)
    for block in change.blocks:
        assert data[block.offset : block.offset + len(block.old)] == block.old
        assert len(block.old) == len(block.new)
        data[block.offset : block.offset + len(block.new)] = block.new
    return bytes(data)


@given(plans(sizes=st.just(0)))
def test_plans_that_move_nothing_are_blocks(plan: EditPlan) -> None:
    change = change_of(plan, reader(DATA), granule=GRANULE)
    assert change is not None
    assert change.shift is None
    assert carried_out(change) == edited(DATA, plan)


@given(plans(sizes=st.sampled_from([0, 0, GRANULE, 3 * GRANULE, -GRANULE, -2 * GRANULE, 7])))
def test_a_change_does_what_the_plan_says_or_there_is_none(plan: EditPlan) -> None:
    change = change_of(plan, reader(DATA), granule=GRANULE)
    if change is None:
        return
    if change.shift:
        assert change.shift.offset % GRANULE == change.shift.amount % GRANULE == 0
        assert change.shift.offset + max(0, -change.shift.amount) < len(DATA)
    result = carried_out(change)
    assert result == edited(DATA, plan)
    assert len(result) == change.size_after
    assert standing(change, reader(result)) is Standing.NEW


@pytest.mark.parametrize("offset", range(0, 900, 50))
def test_one_growing_splice_needs_no_copy_wherever_it_is(offset: int) -> None:
    plan = EditPlan((Splice(offset, DATA[offset : offset + 10], bytes(10 + GRANULE)),), len(DATA))
    for wish, data in ((plan, DATA), (plan.inverse(), edited(DATA, plan))):
        change = change_of(wish, reader(data), granule=GRANULE)
        assert change is not None
        assert change.shift is not None


def test_two_growing_splices_need_a_copy() -> None:
    splices = (Splice(0, DATA[:10], bytes(10 + GRANULE)), Splice(500, DATA[500:510], bytes(10 + GRANULE)))
    assert change_of(EditPlan(splices, len(DATA)), reader(DATA), granule=GRANULE) is None


@given(plans(sizes=st.sampled_from([0, 0, 5, -3])))
def test_a_plan_is_pristine_before_and_landed_after(plan: EditPlan) -> None:
    after = edited(DATA, plan)
    assert is_landed(plan, reader(after), len(after))
    assert is_pristine(plan, reader(DATA), len(DATA)) == any(s.old != s.new for s in plan.splices)


@pytest.mark.parametrize(
    ("current", "found"),
    [
        (b"N" * 1500, Standing.NEW),
        (b"o" * 1500, Standing.OLD),
        (b"N" * 412 + b"o" * 1088, Standing.MIXED),
        (b"o" * 924 + b"N" * 576, Standing.MIXED),
        (b"N" * 700 + b"o" * 800, Standing.MIXED),
        (b"o" * 700 + b"N" * 800, Standing.MIXED),
        (b"N" * 1400 + b"x" * 100, Standing.FOREIGN),
        (b"NoNo" * 375, Standing.FOREIGN),
        (b"N" * 1499, Standing.FOREIGN),
        (b"", Standing.FOREIGN),
    ],
)
def test_torn_writes_are_told_from_foreign_bytes(current: bytes, found: Standing) -> None:
    assert block_standing(Block(100, b"o" * 1500, b"N" * 1500), current) is found


def test_a_block_that_landed_beside_one_that_did_not_is_a_mixture() -> None:
    change = Change((Block(0, b"a", b"A"), Block(1, b"b", b"B"), Block(2, b"c", b"c")), None, 3, 3)
    states = {b"abc": Standing.OLD, b"ABc": Standing.NEW, b"Abc": Standing.MIXED, b"Axc": Standing.FOREIGN}
    for data, expected in states.items():
        assert standing(change, reader(data)) is expected
