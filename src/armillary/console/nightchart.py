"""A night as a drawing: values in, coordinates of elements out; the template only writes them down.

The picture is a thousand units wide, from the first instant of the night to its last; what is outside is cut off.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from armillary.archive.query.service import Exposed
from armillary.sites.almanac.service import Altitudes, NightSky
from armillary.sites.documents import LogEntry

WIDTH, SKY = 1000.0, 190.0
"""Of the picture, and the height of the part with altitudes."""
LANE, BAND = 22.0, 16.0
MOST_TICKS = 300
"""However many exposures there are: what is drawn stays light."""
COLOURS = 7
_Placed = tuple[float, Exposed]
"""Where an exposure begins in the picture, and the exposure."""
LEVELS = (
    (-0.8333, "day", "Day"),
    (-6.0, "civil", "Civil twilight"),
    (-12.0, "nautical", "Nautical twilight"),
    (-18.0, "astronomical", "Astronomical twilight"),
    (-91.0, "dark", "Dark"),
)
"""Down to which altitude of the centre of the Sun each is; at the first the upper limb sets."""
SPANS = (
    ("Eve Bias Dark", "End Eve Bias Dark"),
    ("Eve Scrn Flats", "End Eve Scrn Flats"),
    ("Ops Window Start", "Ops Window Closes"),
    ("Eve Sky Flats", "End Eve Sky Flats"),
    ("Observing Begins", "Observing Ends"),
    ("Morn Sky Flats", "End Morn Sky Flats"),
)
"""Events of a site between which something lasts, by the first of the two."""
_TITLES = {"Ops Window Start": "Operations window", "Observing Begins": "Observing"}


@dataclass(frozen=True, slots=True)
class Scale:
    """Instants of a night as places from left to right."""

    start: datetime
    end: datetime

    def at(self, instant: datetime) -> float:
        """Return where an instant is, within the picture."""
        share = (instant - self.start) / (self.end - self.start)
        return round(min(max(share, 0.0), 1.0) * WIDTH, 1)

    def instant(self, x: float) -> datetime:
        """Return which instant is at a place."""
        return self.start + (self.end - self.start) * (x / WIDTH)


@dataclass(frozen=True, slots=True)
class Hour:
    """A line of the scale, with the hour in UTC and that of the site, if its zone is known."""

    x: float
    utc: str
    local: str | None


@dataclass(frozen=True, slots=True)
class Band:
    """Something that lasts: from where to where, which look it has, and what it is."""

    x: float
    width: float
    look: str
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    """One exposure, or several that are too close to be told apart, the earliest first."""

    x: float
    width: float
    exposures: Sequence[Exposed]

    @property
    def first(self) -> Exposed:
        """The earliest."""
        return self.exposures[0]

    @property
    def last(self) -> Exposed:
        """The latest."""
        return self.exposures[-1]


@dataclass(frozen=True, slots=True)
class Lane:
    """The exposures of one instrument, and their sum."""

    instrument: str
    y: float
    colour: int
    ticks: Sequence[Tick]
    count: int
    first: datetime
    last: datetime
    exposure_s: float


@dataclass(frozen=True, slots=True)
class Mark:
    """An entry of the night log."""

    x: float
    entry: LogEntry


@dataclass(frozen=True, slots=True)
class Chart:
    """All that the picture has; ``sun`` and ``moon`` are points of lines, empty where there is no sky."""

    height: float
    axis_y: float
    lanes_y: float
    spans_y: float
    log_y: float
    hours: Sequence[Hour]
    skies: Sequence[Band]
    spans: Sequence[Band]
    sun: str
    moon: str
    lanes: Sequence[Lane]
    log: Sequence[Mark]


def chart_of(
    scale: Scale,
    zone: ZoneInfo | None,
    sky: NightSky | None,
    exposures: Sequence[Exposed],
    log: Iterable[LogEntry],
    *,
    site_events: bool,
) -> Chart:
    """Return the drawing of a night; ``site_events`` are drawn where the configuration of a site makes them so."""
    spans = list(_spans(scale, sky)) if sky is not None and site_events else []
    spans_y = SKY + 8.0
    lanes_y = spans_y + BAND * len(spans) + (8.0 if spans else 0.0)
    lanes = lanes_of(scale, exposures, lanes_y)
    log_y = lanes_y + LANE * max(len(lanes), 1) + 4.0
    marks = [Mark(scale.at(one.created_at), one) for one in log]
    return Chart(
        height=log_y + (LANE if marks else 0.0) + (36.0 if zone else 22.0),
        axis_y=log_y + (LANE if marks else 0.0) + 2.0,
        lanes_y=lanes_y,
        spans_y=spans_y,
        log_y=log_y,
        hours=list(hours_of(scale, zone)),
        skies=list(skies_of(scale, sky.altitudes)) if sky else [],
        spans=spans,
        sun=_line(scale, [(one.at, one.sun_deg) for one in sky.altitudes]) if sky else "",
        moon=_line(scale, [(one.at, one.moon_deg) for one in sky.altitudes]) if sky else "",
        lanes=lanes,
        log=marks,
    )


def y_of(altitude_deg: float) -> float:
    """Return how far from the top an altitude is: the zenith is there, the nadir at the bottom."""
    return round((90.0 - altitude_deg) / 180.0 * SKY, 1)


def _line(scale: Scale, points: Iterable[tuple[datetime, float]]) -> str:
    return " ".join(f"{scale.at(when):g},{y_of(altitude):g}" for when, altitude in points)


def hours_of(scale: Scale, zone: ZoneInfo | None) -> Iterator[Hour]:
    """Yield the even hours of UTC within a night."""
    hour = scale.start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while hour <= scale.end:
        if hour >= scale.start and hour.hour % 2 == 0:
            local = f"{hour.astimezone(zone):%H:%M}" if zone else None
            yield Hour(scale.at(hour), f"{hour:%H}", local)
        hour += timedelta(hours=1)


def skies_of(scale: Scale, altitudes: Sequence[Altitudes]) -> Iterator[Band]:
    """Yield day, twilights and dark in the order of the night, by where the Sun passes their limits."""
    cuts = [scale.start, *sorted(_passages(altitudes)), scale.end]
    for begin, end in pairwise(cuts):
        if end <= begin:
            continue
        look, title = _level(_sun_at(altitudes, begin + (end - begin) / 2))
        x = scale.at(begin)
        yield Band(x, round(scale.at(end) - x, 1), look, f"{title}, {begin:%H:%M} to {end:%H:%M} UTC")


def _passages(altitudes: Sequence[Altitudes]) -> Iterator[datetime]:
    """Yield when the Sun passes a limit; between two samples its altitude is straight to within a second."""
    for limit, _, _ in LEVELS[:-1]:
        for before, after in pairwise(altitudes):
            if (before.sun_deg > limit) != (after.sun_deg > limit):
                share = (before.sun_deg - limit) / (before.sun_deg - after.sun_deg)
                yield before.at + (after.at - before.at) * share


def _sun_at(altitudes: Sequence[Altitudes], instant: datetime) -> float:
    for before, after in pairwise(altitudes):
        if before.at <= instant <= after.at:
            share = (instant - before.at) / (after.at - before.at)
            return before.sun_deg + (after.sun_deg - before.sun_deg) * share
    return altitudes[-1].sun_deg


def _level(sun_deg: float) -> tuple[str, str]:
    for limit, look, title in LEVELS:
        if sun_deg > limit:
            return look, title
    return LEVELS[-1][1:]


def _spans(scale: Scale, sky: NightSky) -> Iterator[Band]:
    """Yield what lasts at the site, as far as both of its ends occur within the night."""
    times = {one.name: one.unix for one in sky.night.events}
    for first, last in SPANS:
        begin, end = times.get(first), times.get(last)
        if begin is None or end is None or end <= begin:
            continue
        since, until = datetime.fromtimestamp(begin, UTC), datetime.fromtimestamp(end, UTC)
        x = scale.at(since)
        if (width := round(scale.at(until) - x, 1)) > 0:
            title = f"{_TITLES.get(first, first)}, {since:%H:%M} to {until:%H:%M} UTC"
            yield Band(x, width, "span", title)


def lanes_of(scale: Scale, exposures: Sequence[Exposed], y: float) -> list[Lane]:
    """Return the exposures by instrument, those of a pixel together; of very many, those of several pixels."""
    placed: defaultdict[str, list[_Placed]] = defaultdict(list)
    for one in exposures:
        placed[one.instrument].append((scale.at(one.started_at), one))
    pixel = 1.0
    while _count(placed.values(), pixel) > max(MOST_TICKS, len(placed)) and pixel < WIDTH:
        pixel *= 2.0
    return [
        Lane(
            instrument=name,
            y=y + LANE * number,
            colour=number % COLOURS + 1,
            ticks=_ticks(scale, some, pixel),
            count=len(some),
            first=some[0][1].started_at,
            last=some[-1][1].started_at,
            exposure_s=sum(one.exposure_s for _, one in some),
        )
        for number, (name, some) in enumerate(sorted(placed.items()))
    ]


def _count(placed: Iterable[Sequence[_Placed]], pixel: float) -> int:
    return sum(len({int(x / pixel) for x, _ in some}) for some in placed)


def _ticks(scale: Scale, placed: Sequence[_Placed], pixel: float) -> list[Tick]:
    groups: defaultdict[int, list[Exposed]] = defaultdict(list)
    for x, one in placed:
        groups[int(x / pixel)].append(one)
    return [_tick(scale, some) for _, some in sorted(groups.items())]


def _tick(scale: Scale, exposures: Sequence[Exposed]) -> Tick:
    last = exposures[-1]
    x = scale.at(exposures[0].started_at)
    # No exposure of a night lasts longer than the night; what a header says may.
    end = scale.at(last.started_at + timedelta(seconds=min(max(last.exposure_s, 0.0), 86_400.0)))
    return Tick(x, max(round(end - x, 1), 1.5), exposures)
