"""The screen of `armillary status` says which orders wait for room, and why."""

from __future__ import annotations

from rich.console import Console

from armillary.commands.status import held_orders
from armillary.operations.models import HeldOrders

REASON = "x.fits: No space left on device; free space on its file system, or raise the quota."


def shown(one: HeldOrders) -> str:
    console = Console(width=150)
    with console.capture() as captured:
        console.print(held_orders(one))
    return " ".join(captured.get().split())


def test_orders_that_wait_for_room_are_shown_with_place_and_reason() -> None:
    one = shown(HeldOrders("night", 1, 31, 240.0, REASON))
    assert one == f"night: order 31 waits for 4 min, without counting attempts {REASON}"
    many = shown(HeldOrders("database", 1200, 31, 240.0, "full\x1b"))
    assert many.startswith("database: 1,200 orders wait, the first 31 for 4 min")
    assert "\x1b" not in many
