"""The plan of a night: which images are taken of what and when, and in what state the devices are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

import numpy as np

from armillary.demo.telemetry import astronomy
from armillary.demo.telemetry.astronomy import SECOND
from armillary.demo.telemetry.instruments import Filter, Instrument
from armillary.demo.telemetry.pointing import Path, Sky

MS: Final = 1_000_000
FIRST_NIGHT, NIGHTS = date(2026, 1, 10), 200
BIAS, DARK, FLAT, OBJECT, ENGTEST = "BIAS", "DARK", "FLAT", "OBJECT", "ENGTEST"
_SHARES = ((BIAS, 0.08), (DARK, 0.03), (FLAT, 0.09), (ENGTEST, 0.03))
"""Parts of the images of a night; the others are of the sky."""
_TIMES = {BIAS: (0.0,), DARK: (15.0, 30.0), FLAT: (2.0, 5.0), ENGTEST: (5.0,), OBJECT: (15.0, 15.0, 30.0)}
READOUT_NS = 1_700 * MS
END_NS = 300 * MS
"""From the end of readout to the end of telemetry."""
PAUSE_NS = 110 * MS
"""From the end of readout to the next image of the same visit, whose start so comes before that of telemetry."""
_ODD = 5 * MS
"""Moments lie between the samples of devices, which come at whole hundredths of a second."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Images of one target in one state of the instrument."""

    kind: str
    target: str
    tracking: str
    filter: Filter
    grating: Filter | None
    focus_mm: float
    stage_mm: float
    vignetting: int
    first: int
    """Start of the first image."""
    ready: int
    """When the telescope has come and the instrument is set."""
    begun: int
    """When it began to move there."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """One image; instants are TAI nanoseconds. Without light the shutter stays closed."""

    number: int
    image_id: str
    day_obs: int
    visit: Visit
    index: int
    of: int
    exposure_s: float
    group: str
    start: int
    opened: int | None
    closed: int | None
    readout: int
    read: int
    end: int
    darkened: tuple[int, int] | None = None
    """When the dome was in the way for a while."""

    @property
    def begin(self) -> int:
        """When light or charge began to be collected."""
        return self.start if self.opened is None else self.opened

    @property
    def stop(self) -> int:
        """When that ended."""
        return self.begin + round(self.exposure_s * SECOND) if self.closed is None else self.closed


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole night."""

    instrument: Instrument
    seed: int
    controller: str
    started: int
    """When devices begin to speak."""
    visits: list[Visit]
    exposures: list[Exposure]
    path: Path
    skies: list[Sky] = field(default_factory=list)

    @property
    def ended(self) -> int:
        """When the last image is done."""
        return self.exposures[-1].end


def plan_night(instrument: Instrument, seed: int, count: int, *, start: int | None = None) -> Plan:
    """Plan a night of so many images, on a day that follows from the seed or from a ``start``."""
    chance = np.random.Generator(np.random.PCG64([seed, *instrument.name.encode()]))
    day = FIRST_NIGHT + timedelta(days=seed % NIGHTS)
    started = _instant(day, 20.5) if start is None else start // SECOND * SECOND
    visits, exposures = list[Visit](), list[Exposure]()
    now = started + 60 * SECOND
    for kind, number in _kinds(count):
        if kind == OBJECT and not any(one.kind in (OBJECT, ENGTEST) for one in visits):
            # Where some night is left, it is dark.
            now = max(now, _instant(day, 25.0)) if count > 20 and start is None else now
        visit = _visit(instrument, chance, kind, len(visits), now, visits[-1] if visits else None)
        visits.append(visit)
        taken = _taken(instrument, chance, visit, number, len(exposures))
        exposures += taken
        now = taken[-1].end + 500 * MS
    skies = _skies(instrument, chance, visits)
    path = Path(instrument.site, skies, [(one.begun, one.ready) for one in visits])
    return Plan(instrument, seed, "O", started, visits, exposures, path, skies)


def _instant(day: date, hours: float) -> int:
    """Return the instant of a day at so many hours, TAI."""
    return (day.toordinal() - date(1970, 1, 1).toordinal()) * 86_400 * SECOND + round(hours * 3600) * SECOND


def _kinds(count: int) -> list[tuple[str, int]]:
    """Return kinds of visits in their order, with how many images each has."""
    shares = {kind: max(1, round(count * share)) for kind, share in _SHARES} if count >= 8 else {}
    if not shares:
        return [(kind, 1) for kind in (BIAS, OBJECT, FLAT, DARK, OBJECT, ENGTEST, OBJECT)[:count]]
    sky = count - sum(shares.values())
    found = [(kind, shares[kind]) for kind in (BIAS, DARK)] + _split(FLAT, shares[FLAT], 10)
    visits, tests = _split(OBJECT, sky, 5), _split(ENGTEST, shares[ENGTEST], 3)
    step = max(1, len(visits) // len(tests))
    for at, visit in enumerate(visits):
        found.append(visit)
        if tests and at % step == step // 2:
            found.append(tests.pop())
    return found + tests


def _split(kind: str, count: int, most: int) -> list[tuple[str, int]]:
    return [(kind, min(most, count - at)) for at in range(0, count, most)]


def _visit(
    instrument: Instrument,
    chance: np.random.Generator,
    kind: str,
    number: int,
    now: int,
    before: Visit | None,
) -> Visit:
    of_sky = kind in (OBJECT, ENGTEST)
    chosen = instrument.filters[int(chance.integers(len(instrument.filters)))]
    # A filter change takes a while, so it is not made for every target.
    if before is not None and kind == before.kind and chance.random() < 0.6:
        chosen = before.filter
    gratings = instrument.gratings
    slew_s = int(chance.integers(6, 25)) if of_sky else 5
    if before is not None and before.filter != chosen:
        slew_s += 20
    begun = now // SECOND * SECOND
    ready = begun + slew_s * SECOND
    name = {OBJECT: f"FIELD {100 + number}", FLAT: "DOME SCREEN", ENGTEST: "ENGINEERING"}.get(kind, "DARK")
    return Visit(
        kind=kind,
        target=name,
        tracking={OBJECT: "RADEC", ENGTEST: "AZEL"}.get(kind, "LOCAL"),
        filter=chosen,
        grating=gratings[int(chance.integers(len(gratings)))] if gratings else None,
        focus_mm=round(float(chance.normal(0.15, 0.03)), 4),
        stage_mm=round(float(chance.uniform(60.0, 70.0)), 3),
        vignetting={BIAS: 3, DARK: 3}.get(kind, 1),
        first=ready + 2 * SECOND + int(chance.integers(1, 99)) * 10 * MS + _ODD,
        ready=ready,
        begun=begun,
    )


def _taken(
    instrument: Instrument, chance: np.random.Generator, visit: Visit, count: int, first: int
) -> list[Exposure]:
    """Return the images of a visit, one closely behind the other."""
    found, start = list[Exposure](), visit.first
    times = _TIMES[visit.kind]
    exposure_s = times[int(chance.integers(len(times)))]
    group = astronomy.iso_ms([visit.first])[0]
    for index in range(count):
        lit = visit.kind not in (BIAS, DARK)
        opened = start + 50 * MS if lit else None
        # Shutters are not exact.
        late = int(chance.integers(1, 9)) * 10 * MS if lit else 0
        closed = opened + round(exposure_s * SECOND) + late if opened is not None else None
        stop = closed if closed is not None else start + round(exposure_s * SECOND)
        readout = stop + 100 * MS
        read = readout + READOUT_NS
        number = first + index + 1
        day = int(astronomy.day_of([start])[0])
        darkened = None
        if visit.kind == OBJECT and exposure_s >= 15 and chance.random() < 0.05:
            darkened = (start + 3 * SECOND + 1, start + 8 * SECOND + 1)
        found.append(
            Exposure(
                number=number,
                image_id=f"{instrument.code}_O_{day}_{number:06d}",
                day_obs=day,
                visit=visit,
                index=index + 1,
                of=count,
                exposure_s=exposure_s,
                group=group,
                start=start,
                opened=opened,
                closed=closed,
                readout=readout,
                read=read,
                end=read + END_NS,
                darkened=darkened,
            )
        )
        start = read + PAUSE_NS
    return found


def _skies(instrument: Instrument, chance: np.random.Generator, visits: list[Visit]) -> list[Sky]:
    """Return where each visit looks: at a place of the sky that stands high then, or to where nothing moves."""
    starts = [one.begun for one in visits]
    sidereal = astronomy.sidereal_deg(starts, instrument.site)
    azimuth = chance.uniform(0.0, 360.0, len(visits))
    elevation = np.degrees(
        np.arcsin(chance.uniform(np.sin(np.radians(40.0)), np.sin(np.radians(78.0)), len(visits)))
    )
    still = [
        Sky(start, float(lst), None, 0.0, float(round(az, 3)), float(round(el, 3)))
        for start, lst, az, el in zip(starts, sidereal, azimuth, elevation, strict=True)
    ]
    seen = Path(instrument.site, still, [(one, one) for one in starts])
    places = [seen.at([one]) for one in starts]
    ra, dec = (np.array([getattr(one, name)[0] for one in places]) for name in ("ra", "dec"))
    ra, dec = astronomy.catalogue_deg(ra, dec, starts)
    ra, dec = np.round(ra % 360.0, 6), np.round(dec, 6)
    of_date = astronomy.apparent_deg(ra, dec, [one.first for one in visits])
    # The rotator turns to where it has room on both sides.
    turns = np.round(chance.uniform(-60.0, 60.0, len(visits)), 3)
    found = []
    for at, visit in enumerate(visits):
        if visit.tracking != "RADEC":
            parked = visit.tracking == "LOCAL"
            place = (118.4, 44.0) if parked and visit.kind == FLAT else (0.0, 80.0) if parked else None
            az, el = place or (still[at].az_deg, still[at].el_deg)
            found.append(Sky(starts[at], float(sidereal[at]), None, 0.0, az, el))
            continue
        angle = float(places[at].parallactic[0]) + float(turns[at])
        found.append(
            Sky(
                starts[at],
                float(sidereal[at]),
                float(of_date[0][at]),
                float(of_date[1][at]),
                catalogue=(float(ra[at]), float(dec[at])),
                rotation_deg=round(angle % 360.0, 4),
            )
        )
    return found
