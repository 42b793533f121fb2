"""Chores rest after failures: longer and longer, up to a limit, for ever."""

from __future__ import annotations

import pytest

from armillary.commands.upkeep import PAUSES


@pytest.mark.parametrize(("transient", "longest_s"), [(True, 60.0), (False, 600.0)])
def test_pauses_grow_up_to_a_limit_however_many_failures_there_were(
    transient: bool, longest_s: float
) -> None:
    pauses = [PAUSES.after(failures, transient=transient) for failures in (0, 1, 2, 10, 1023, 1024, 10**9)]
    assert pauses[:3] == [5.0, 10.0, 20.0]
    assert set(pauses[3:]) == {longest_s}
