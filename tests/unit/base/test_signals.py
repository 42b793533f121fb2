"""Messages that nobody looks at do not pile up."""

from __future__ import annotations

from armillary.base.signals import MOST_WAITING, Subscription


async def test_a_listener_that_does_not_listen_is_told_to_look_at_everything() -> None:
    subscription = Subscription()
    for number in range(MOST_WAITING):
        subscription.deliver(str(number))
    subscription.deliver("one more")
    subscription.deliver("last")
    assert await subscription.wait() == (None, "last")
    for number in range(MOST_WAITING):
        subscription.deliver(str(number))
    assert len(await subscription.wait()) == MOST_WAITING
    assert await subscription.wait(0) == ()
