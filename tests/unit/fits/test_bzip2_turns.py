"""Calls of the bzip2 library take turns."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager

from armillary.fits.bzip2.turns import Turns


class Caller(threading.Thread):
    """Somebody who wants a turn, and keeps it until told to let go."""

    def __init__(self, turn: AbstractContextManager[None], name: str, order: list[str]) -> None:
        super().__init__(name=name, daemon=True)
        self._turn, self._order = turn, order
        self.begun, self.done = threading.Event(), threading.Event()

    def run(self) -> None:
        with self._turn:
            self._order.append(self.name)
            self.begun.set()
            assert self.done.wait(60)


def waiting(turns: Turns, count: int) -> None:
    """Wait until so many want a turn now."""
    while turns.wanted != count:
        time.sleep(0.001)


def test_no_more_calls_run_at_once_than_there_are_turns() -> None:
    turns, order = Turns(2), list[str]()
    callers = [Caller(turns.now(), str(number), order) for number in range(5)]
    for one in callers:
        one.start()
    for left in (3, 2, 1, 0):
        waiting(turns, left)
        while len(order) < 5 - left:
            time.sleep(0.001)
        assert len(order) == 5 - left
        next(one for one in callers if one.name in order and not one.done.is_set()).done.set()
    for one in callers:
        one.done.set()
        one.join(60)
    assert sorted(order) == list("01234")


def test_the_patient_use_turns_that_nobody_else_wants() -> None:
    turns, order = Turns(2), list[str]()
    urgent, patient = Caller(turns.now(), "urgent", order), Caller(turns.later(), "patient", order)
    for one in (urgent, patient):
        one.start()
    for one in (urgent, patient):
        assert one.begun.wait(60)
        one.done.set()
        one.join(60)
    assert sorted(order) == ["patient", "urgent"]


def test_the_patient_begin_after_all_others() -> None:
    turns, order = Turns(1), list[str]()
    first = Caller(turns.now(), "first", order)
    first.start()
    assert first.begun.wait(60)
    patient = Caller(turns.later(), "patient", order)
    patient.start()
    urgent = [Caller(turns.now(), name, order) for name in ("urgent", "urgent too")]
    for one in urgent:
        one.start()
    waiting(turns, 2)
    for one in (first, *urgent, patient):
        one.done.set()
    for one in (first, *urgent, patient):
        one.join(60)
    assert order[0] == "first"
    assert order[3] == "patient"


def test_a_call_that_fails_gives_its_turn_back() -> None:
    turns = Turns(1)
    for turn in (turns.now, turns.later, turns.now):
        try:
            with turn():
                raise OSError
        except OSError:
            continue
    with turns.now():
        pass
