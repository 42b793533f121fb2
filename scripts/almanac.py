"""Write tests/data/almanac.txt: a year of passages of Sun and Moon at ten places, found by skyfield's own search.

It takes three minutes. Each line is a series: place, latitude and longitude in degrees, body, what it passes (an
altitude in degrees, or the meridian), the direction, and the times, in milliseconds of TAI since the year began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from skyfield import almanac
from skyfield.api import load, wgs84
from skyfield.jpllib import SpiceKernel

from armillary.sky.ephemeris import ephemeris_file

TARGET = Path(__file__).parent.parent / "tests" / "data" / "almanac.txt"
YEAR = 2025
PLACES = {
    "equator": (0.0, -78.5),
    "mauna-kea": (19.824, -155.469),
    "california": (34.0, -119.0),
    "pachon": (-30.241, -70.737),
    "sutherland": (-32.379, 20.811),
    "greenwich": (51.478, 0.0),
    "helsinki": (60.17, 24.94),
    "tromso": (69.65, 18.96),
    "svalbard": (78.22, 15.65),
    "south-pole": (-90.0, 0.0),
}
SUN_DEG = (-0.25, -50.0 / 60.0, -6.0, -12.0, -18.0)
MOON_DEG = -34.0 / 60.0
STEP_DAYS = 0.01
"""Fine enough to see the Sun rise for a quarter of an hour; the default of skyfield is a quarter of a day."""
DAY_MS = 86_400_000.0


def series() -> Iterator[str]:
    """Yield the lines of the table."""
    kernel, timescale = SpiceKernel(str(ephemeris_file())), load.timescale(builtin=True)
    start, end = timescale.tai(YEAR, 1, 1), timescale.tai(YEAR + 1, 1, 1)

    def found(state: Callable[[Any], Any]) -> Iterator[tuple[int, str]]:
        state.step_days = STEP_DAYS  # type: ignore[attr-defined]  # where skyfield looks for it
        times, states = almanac.find_discrete(start, end, state)
        for value in (0, 1):
            passed = (times[states == value].tai - start.tai) * DAY_MS
            yield value, " ".join(f"{one:.0f}" for one in passed)

    for name, (latitude, longitude) in PLACES.items():
        place = wgs84.latlon(latitude, longitude)
        where = f"{name} {latitude} {longitude}"
        for body, altitudes in (("sun", SUN_DEG), ("moon", (MOON_DEG,))):
            for altitude in altitudes:
                up = almanac.risings_and_settings(kernel, kernel[body], place, horizon_degrees=altitude)
                for value, times in found(up):
                    yield f"{where} {body} {altitude!r} {('down', 'up')[value]} {times}".rstrip()
            if abs(latitude) == 90.0:
                continue  # all meridians meet here
            west = almanac.meridian_transits(kernel, kernel[body], place)
            for value, times in found(west):
                yield f"{where} {body} meridian {('antitransit', 'transit')[value]} {times}".rstrip()
    kernel.close()


if __name__ == "__main__":
    about = f"# Written by scripts/almanac.py: {YEAR}, milliseconds of TAI since the year began."
    TARGET.write_text("\n".join([about, *series()]) + "\n", "utf-8")
