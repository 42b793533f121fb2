"""Merges that do not come about are tried again after pauses that grow, and at once after a change."""

from __future__ import annotations

from armillary.headers.merging.waits import Waits

FILE, MARK = 7, (12, 1)
FIRST_S, LAST_S = 2.0, 300.0


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_pauses_grow_up_to_a_limit() -> None:
    clock = Clock()
    waits = Waits(FIRST_S, LAST_S, clock)
    pauses = []
    for tries in range(12):
        assert waits.over(FILE, MARK)
        assert waits.tries(FILE, MARK) == tries
        pauses.append(waits.failed(FILE, MARK))
        clock.now += pauses[-1] - 0.1
        assert not waits.over(FILE, MARK)
        clock.now += 0.1
    assert pauses[:4] == [2.0, 4.0, 8.0, 16.0]
    assert pauses[-1] == LAST_S == max(pauses)


def test_another_version_or_revision_is_tried_at_once() -> None:
    waits = Waits(FIRST_S, LAST_S, Clock())
    waits.failed(FILE, MARK)
    assert not waits.over(FILE, MARK)
    assert waits.over(FILE + 1, MARK)
    for other in ((13, 1), (12, 2)):
        assert (waits.over(FILE, other), waits.tries(FILE, other)) == (True, 0)


def test_a_merge_that_came_about_is_forgotten() -> None:
    waits = Waits(FIRST_S, LAST_S, Clock())
    waits.failed(FILE, MARK)
    waits.done(FILE)
    assert (waits.over(FILE, MARK), waits.tries(FILE, MARK)) == (True, 0)
