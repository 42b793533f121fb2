"""A night that never was, as telemetry: samples of three instruments, and the headers that they should lead to.

`simulate` plans a night from a seed (`plan.py`), and everything follows from that plan: what the devices say
(`channels.py`), and, by a way of its own, what each header should say (`truth.py`). The truth is taken from the
state of the simulated devices and computed with astropy; it knows neither configurations nor rendering of headers,
so that it can judge them. Equal seeds give equal bytes.

`faults.py` spoils what was said, as networks, clocks and people do; `player.py` says it to a bus, on a clock of
its own or on the real one; `files.py` writes it down.
"""

from __future__ import annotations

from armillary.demo.telemetry.instruments import INSTRUMENTS
from armillary.demo.telemetry.night import Night, simulate

__all__ = ["INSTRUMENTS", "Night", "simulate"]
