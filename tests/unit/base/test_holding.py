"""Of the orders that wait for the same thing one tries often; those that get through draw others after them."""

from __future__ import annotations

from armillary.base.work.holding import COSTLY, FOLLOWED_BY, SELDOM, Holds

PAUSE_S = 2.0


class Hand:
    """The hand of a clock that a test moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def test_one_order_tries_at_every_pause_and_the_others_seldom() -> None:
    hand = Hand()
    holds = Holds(PAUSE_S, now=hand)
    for _ in range(3):
        assert holds.delay_s("1", took_s=0.0, chance=0.0) == PAUSE_S
        rest = [holds.delay_s("1", took_s=0.0, chance=chance) for chance in (0.0, 0.5, 0.999)]
        assert rest == sorted(rest)
        assert all(PAUSE_S * SELDOM / 2 <= delay <= PAUSE_S * SELDOM for delay in rest)
        # Another disk has another one that tries.
        assert holds.delay_s("2", took_s=0.0, chance=0.0) == PAUSE_S
        hand.at += PAUSE_S


def test_what_takes_long_is_tried_more_rarely() -> None:
    holds = Holds(PAUSE_S, now=Hand())
    assert holds.delay_s("1", took_s=5.0, chance=0.0) == 5.0 * COSTLY
    assert holds.delay_s("1", took_s=5.0, chance=1.0) == 5.0 * COSTLY
    assert holds.delay_s("1", took_s=0.0, chance=1.0) == PAUSE_S * SELDOM


def test_each_that_gets_through_lets_some_others_try_once() -> None:
    holds = Holds(PAUSE_S, now=Hand())
    assert holds.take_freed() == {}
    for obstacle in ("1", "database", "1"):
        holds.passed(obstacle)
    assert holds.take_freed() == {"1": 2 * FOLLOWED_BY, "database": FOLLOWED_BY}
    assert holds.take_freed() == {}
