"""A plan carried out on a stream of chunks is the plan carried out on the bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.fits.edited import edited
from armillary.fits.errors import PlanMismatch
from armillary.fits.models import EditPlan, Splice
from armillary.fits.plan import apply_plan


@given(st.lists(st.binary(max_size=30)), st.lists(st.integers(0, 400), max_size=8), st.binary(max_size=9))
def test_chunks_do_not_matter(chunks: list[bytes], cuts: list[int], new: bytes) -> None:
    content = b"".join(chunks)
    cuts = sorted(min(cut, len(content)) for cut in cuts)
    pairs = zip(cuts[::2], cuts[1::2], strict=False)
    plan = EditPlan(tuple(Splice(a, content[a:b], new) for a, b in pairs), len(content))
    assert b"".join(edited(chunks, plan)) == apply_plan(content, plan)
    assert b"".join(edited(edited(chunks, plan), plan.inverse())) == content


@pytest.mark.parametrize(
    "plan",
    [
        EditPlan((Splice(2, b"xx", b"y"),), 6),
        EditPlan((Splice(5, b"fgh", b"y"),), 8),
        EditPlan((Splice(9, b"", b"y"),), 9),
        EditPlan((), 7),
    ],
    ids=["other bytes", "across the end", "beyond the end", "other size"],
)
def test_a_plan_for_another_file_is_refused(plan: EditPlan) -> None:
    with pytest.raises(PlanMismatch):
        list(edited([b"abc", b"def"], plan))
