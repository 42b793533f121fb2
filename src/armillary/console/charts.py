"""The geometry of charts that are drawn without a script: bars of nights, curves over time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from armillary.archive.query.service import NightCount

COLOURS = 6
"""Colours that are told apart; what comes after them shares another one."""
OTHERS = "others"
WIDTH, HEIGHT = 600.0, 100.0
"""The units in which curves are drawn; the page stretches them."""
NAMED = 3
"""Directories of one file system that are named."""
GAP = 2.5
"""Steps without a sample after which a curve is interrupted."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar, in thousandths of the longest one."""

    name: str
    colour: int
    frames: int
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class NightBar:
    """A night with the parts that its frames fall into."""

    night: date
    frames: int
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class NightBars:
    """Nights, newest first, and what the colours mean, the most frequent first."""

    nights: tuple[NightBar, ...]
    legend: tuple[tuple[str, int], ...]


def night_bars(counts: Iterable[NightCount]) -> NightBars:
    """Return the bars of nights whose frames are told apart by one part."""
    nights: dict[date, dict[str, int]] = {}
    totals: dict[str, int] = {}
    for one in counts:
        name = one.parts[0] or "unknown"
        nights.setdefault(one.night, {})[name] = one.frames
        totals[name] = totals.get(name, 0) + one.frames
    ranked = sorted(totals, key=lambda name: (-totals[name], name))
    colours = {name: place for place, name in enumerate(ranked[:COLOURS], 1)}
    longest = max((sum(parts.values()) for parts in nights.values()), default=0)
    legend = [*colours.items(), *([(OTHERS, COLOURS + 1)] if len(ranked) > COLOURS else [])]
    bars = [
        NightBar(night, sum(parts.values()), tuple(_segments(parts, colours, longest)))
        for night, parts in nights.items()
    ]
    return NightBars(tuple(bars), tuple(legend))


def _segments(parts: dict[str, int], colours: dict[str, int], longest: int) -> Iterable[Segment]:
    frames = {name: parts[name] for name in colours if name in parts}
    if others := sum(parts.values()) - sum(frames.values()):
        frames[OTHERS] = others
    start = 0.0
    for name, number in frames.items():
        width = 1000 * number / longest
        yield Segment(name, colours.get(name, COLOURS + 1), number, round(start, 2), round(width, 2))
        start += width


@dataclass(frozen=True, slots=True)
class FileSystem:
    """A file system, called by what lies on it; sizes in bytes, of which some are not known."""

    name: str
    free: int | None
    size: int | None
    members: tuple[str, ...]


def file_systems(rooms: Iterable[tuple[str, int | None, int | None]]) -> list[FileSystem]:
    """Return directories, each with its free room and size, as file systems: most of them share one."""
    together: dict[tuple[int | None, int | None], list[str]] = {}
    for name, free, size in rooms:
        together.setdefault((free, size), []).append(name)
    return [FileSystem(_called(names), *room, tuple(names)) for room, names in together.items()]


def _called(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: the path of an SVG, and what it says in numbers."""

    name: str
    colour: int
    path: str
    last: float | None
    most: float | None


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over the same time, with the value at the upper edge; the lower edge is zero."""

    name: str
    unit: str
    top: float
    lines: tuple[Line, ...]


Values = Sequence[float | int | None]


def chart(
    name: str,
    unit: str,
    at: Sequence[datetime],
    lines: Sequence[tuple[str, Values]],
    *,
    begin: datetime,
    end: datetime,
    step_s: float,
) -> Chart:
    """Return the chart of lines between two moments; where samples are missing it shows nothing."""
    top = max((value for _, values in lines for value in values if value is not None), default=0.0) or 1.0
    span_s = (end - begin).total_seconds()

    def across(moment: datetime) -> float:
        return WIDTH * (moment - begin).total_seconds() / span_s

    drawn = [
        Line(line, colour, _path(at, values, across, top, step_s), *_summed(values))
        for colour, (line, values) in enumerate(lines, 1)
    ]
    return Chart(name, unit, float(top), tuple(drawn))


def _summed(values: Values) -> tuple[float | None, float | None]:
    known = [value for value in values if value is not None]
    return (values[-1] if values else None, max(known, default=None))


def _path(
    at: Sequence[datetime], values: Values, across: Callable[[datetime], float], top: float, step_s: float
) -> str:
    pieces: list[str] = []
    before: datetime | None = None
    for moment, value in zip(at, values, strict=True):
        if value is None:
            before = None
            continue
        joined = before is not None and (moment - before).total_seconds() <= GAP * step_s
        place = f"{across(moment):.1f} {HEIGHT * (1 - value / top):.1f}"
        # A point alone is a line of no length, which round ends make a dot.
        pieces.append(f"L{place}" if joined else f"M{place}h0")
        before = moment
    return "".join(pieces)
