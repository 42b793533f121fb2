"""Benchmark 6: events of one night and of a year, against the searches of skyfield.

A night is what the service computes, events with names and reasons; a year is the passages alone, as arrays. The
peer of a night is Photon Ranch's method in the steps that its specification tells: a search of skyfield, to a
millisecond, for the antitransit, for each altitude of the Sun and for the Moon. That of a year is the routine for
risings and settings that skyfield's documentation names as the fast one, once for each altitude. Both have the
ephemeris open already, as we have the table of the year. What is computed must agree within 0.05 s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from skyfield import almanac
from skyfield.api import load, wgs84
from skyfield.jpllib import SpiceKernel

from armillary.sites.almanac.events import ALTITUDES, events_of
from armillary.sites.almanac.models import Night, SitePlace
from armillary.sites.almanac.nights import bounds_of, horizon_of, night_holding, nights_of_year
from armillary.sky.ephemeris import EPOCH_JD, ephemeris_file
from armillary.sky.passages import passages_of
from benchmarks.table import Row, finish, interleave

SITE = SitePlace("sro", 34.0, -119.0, "America/Los_Angeles")
WHEN = datetime(2020, 8, 1, 19, 1, tzinfo=UTC)
YEAR, NIGHTS = 2020, 20
METHOD, SKYFIELD = "Photon Ranch's method", "skyfield"
NIGHT_TARGET, YEAR_TARGET = 300.0, 30.0
DUSKS = {
    0.25: "Sun Set",
    6.0: "Civil Dusk",
    11.75: "End Eve Sky Flats",
    12.0: "Naut Dusk",
    18.0: "Astro Dark",
}
DAWNS = {
    0.25: "Sunrise",
    1.5: "End Morn Sky Flats",
    6.0: "Civil Dawn",
    11.75: "Morn Sky Flats",
    12.0: "Naut Dawn",
    18.0: "End Astro Dark",
}
MOON_DEG = -34.0 / 60.0
CLOSE_DAY = 0.05 / 86_400.0
ROUNDS, YEAR_ROUNDS = 5, 5
Found = dict[str, float]


@dataclass(frozen=True)
class Peer:
    """skyfield with its ephemeris open, and the site of the benchmark."""

    kernel: Any
    timescale: Any
    place: Any

    def night(self, night: Night) -> Found:
        """Search the events of one night as Photon Ranch does; return days of TAI by name."""
        (start,), (end,) = bounds_of([night])
        sun, moon = self.kernel["sun"], self.kernel["moon"]
        west = almanac.meridian_transits(self.kernel, sun, self.place)
        (middle,) = (when for when, transit in self._passed(west, start, end) if not transit)
        found = {}
        for names, first, last, rising in (
            (DUSKS, middle - 0.5, middle, False),
            (DAWNS, middle, middle + 0.5, True),
        ):
            for depression, name in names.items():
                up = almanac.risings_and_settings(self.kernel, sun, self.place, horizon_degrees=-depression)
                found[name] = next(when for when, one in self._passed(up, first, last) if one == rising)
        up = almanac.risings_and_settings(self.kernel, moon, self.place, horizon_degrees=MOON_DEG)
        for when, rising in self._passed(up, start, end):
            found["Moon Rise" if rising else "Moon Set"] = when
        return found

    def year(self, start: float, end: float) -> dict[str, Any]:
        """Find the passages of a year by the fast routines; return days of TAI by name."""
        observer = self.kernel["earth"] + self.place
        span = self._time(start), self._time(end)
        searches: list[tuple[Callable[..., Any], str, str, float]] = [
            *((almanac.find_settings, "sun", name, -depression) for depression, name in DUSKS.items()),
            *((almanac.find_risings, "sun", name, -depression) for depression, name in DAWNS.items()),
            (almanac.find_risings, "moon", "Moon Rise", MOON_DEG),
            (almanac.find_settings, "moon", "Moon Set", MOON_DEG),
        ]
        return {
            name: find(observer, self.kernel[body], *span, horizon_degrees=altitude)[0].tai - EPOCH_JD
            for find, body, name, altitude in searches
        }

    def _passed(self, state: Any, start: float, end: float) -> list[tuple[float, bool]]:
        times, states = almanac.find_discrete(self._time(start), self._time(end), state)
        return [(float(one.tai) - EPOCH_JD, bool(up)) for one, up in zip(times, states, strict=True)]

    def _time(self, tai_day: float) -> Any:
        return self.timescale.tai_jd(tai_day + EPOCH_JD)


@contextmanager
def peer() -> Iterator[Peer]:
    """Open skyfield."""
    kernel = SpiceKernel(str(ephemeris_file()))
    place = wgs84.latlon(SITE.latitude_deg, SITE.longitude_deg)
    yield Peer(kernel, load.timescale(builtin=True), place)
    kernel.close()


def some_nights() -> None:
    """Compute nights one by one; a single one is too short for the clock beside a search of skyfield."""
    for number in range(NIGHTS):
        events_of(SITE, [night_holding(SITE, WHEN + timedelta(days=number))])


def check_night(theirs: Found, night: Night) -> None:
    """Compare the passages of a night by name."""
    (events,) = events_of(SITE, [night])
    ours = {one.name: one.tai_day for one in events}
    wrong = [name for name, when in theirs.items() if abs((ours[name] or 0.0) - when) > CLOSE_DAY]
    if wrong or len(theirs) < len(DUSKS) + len(DAWNS):
        raise AssertionError(f"not as skyfield has it: {wrong or theirs}")


def check_year(theirs: dict[str, Any], nights: list[Night]) -> None:
    """Compare the passages of the Sun in a year: each of ours must be one of theirs."""
    for events in events_of(SITE, nights):
        for one in events:
            if one.name in theirs and one.tai_day is not None:
                off = np.abs(theirs[one.name] - one.tai_day).min()
                if off > CLOSE_DAY:
                    raise AssertionError(f"{one.name}: {off * 86_400} s away from skyfield")


def run() -> list[Row]:
    """Measure both rows."""
    night, nights = night_holding(SITE, WHEN), nights_of_year(SITE, YEAR)
    starts, ends = bounds_of(nights)
    horizon = horizon_of(SITE, starts[0], ends[-1])
    with peer() as old:
        check_night(old.night(night), night)
        one = interleave({"ours": some_nights, METHOD: lambda: old.night(night)}, rounds=ROUNDS)
        one["ours"] /= NIGHTS
        check_year(old.year(starts[0], ends[-1]), nights)
        all_year = interleave(
            {
                "ours": lambda: passages_of(horizon, starts, ends, ALTITUDES),
                SKYFIELD: lambda: old.year(starts[0], ends[-1]),
            },
            rounds=YEAR_ROUNDS,
        )
    return [
        _row("6", f"events of one night (of {NIGHTS}), the engine alone", one, METHOD, NIGHT_TARGET),
        _row("6 year", "passages of a year of nights, the engine alone", all_year, SKYFIELD, YEAR_TARGET),
    ]


def _row(number: str, work: str, seconds: dict[str, float], against: str, target: float) -> Row:
    return Row(number, work, seconds["ours"], {against: seconds[against]}, {against: target})


if __name__ == "__main__":
    finish(run())
