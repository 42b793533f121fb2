"""Values that stand still, or come from another time, within one header."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from armillary.headers.rules.instants import span_of
from armillary.headers.rules.models import Deviation, Group, Rule, SetRule, Severity
from armillary.headers.rules.sheet import Sheet, number_of, walk
from armillary.headers.rules.shots import SetCheck, Shot, by_camera
from armillary.headers.rules.target import TURN_PER_SECOND, angle, dec_deg, ra_deg, target_of
from armillary.sky.apparent import horizontal
from armillary.sky.coordinates import separation_deg

_COMMANDED = (("FILTER", "FILTCMD"), ("GRATING", "GRATCMD"))


def mount_frozen(sheet: Sheet, tolerance: float) -> Iterator[Deviation]:
    """Find azimuths and elevations that are the same at both ends while the sky moved."""
    ends = [angle(sheet, one) for one in ("AZSTART", "ELSTART", "AZEND", "ELEND")]
    target, span = target_of(sheet), span_of(sheet)
    if None in ends or ends[:2] != ends[2:] or target is None or span.begin is None or not sheet.sidereal:
        return
    finish = span.finish
    if finish is None or finish <= span.begin.seconds:
        return
    frame = target.frames[0]
    start = target.sidereal_deg - frame.ra
    turned = start + (finish - span.begin.seconds) * TURN_PER_SECOND
    first, last = (horizontal(one, frame.dec, target.place.latitude) for one in (start, turned))
    moved = separation_deg(first[1], first[0], last[1], last[0])
    if moved > tolerance:
        yield Deviation(
            "AZSTART, ELSTART, AZEND, ELEND", round(moved, 4), 0.0, round(-moved, 4), "the same values twice"
        )


def commanded(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Compare filters and gratings with those that were commanded, where both are told."""
    for actual, wanted in _COMMANDED:
        a, b = sheet.text(actual), sheet.text(wanted)
        if a and b and a.lower() != b.lower():
            yield Deviation(f"{actual}, {wanted}", b, a)


def ages(sheet: Sheet, tolerance: float) -> Iterator[Deviation]:
    """Find values of side-cars that were sampled after their moment, or long before it."""
    late: dict[str, float] = {}
    old: dict[str, float] = {}
    for _, cell in walk(sheet.pages):
        age = number_of(cell.age_s) if cell.value is not None else None
        if age is None or cell.pick not in (None, "asof"):
            continue
        if age < -1e-3:
            late[cell.keyword] = age
        elif age > tolerance:
            old[cell.keyword] = age
    if late:
        worst = min(late.values())
        yield Deviation(
            ", ".join(late),
            0.0,
            worst,
            worst,
            "a value of another image",
            text="The value was sampled after the moment that it is for.",
            severity=Severity.ERROR,
        )
    if old:
        worst = max(old.values())
        yield Deviation(", ".join(old), f"at most {tolerance:g}", worst, worst - tolerance)


_WEATHER = ("AIRTEMP", "PRESSURE", "HUMIDITY")
_FEWEST = 3
_WEATHER_FREEZES_S = 3600.0


def _frozen(shots: Sequence[Shot], _: float) -> Iterator[tuple[str, Deviation]]:
    """Find values that stay the same to the last digit while a related value moves."""
    for group in by_camera(shots):
        on_sky = [one for one in group if one.sheet.sidereal]
        yield from _runs(on_sky, ("AZSTART", "ELSTART"), _moved, "the target moved")
        yield from _runs(on_sky, ("HASTART",), _moved, "the sky turned")
        yield from _runs(on_sky, ("AMSTART",), _moved, "the target moved")
        yield from _runs(on_sky, ("ROTSTART",), _moved, "the target moved")
        yield from _runs(group, _WEATHER, _long_ago, "an hour passed")


def _runs(
    shots: Sequence[Shot], keywords: Sequence[str], moved: Callable[[Shot, Shot], bool], why: str
) -> Iterator[tuple[str, Deviation]]:
    run: list[Shot] = []
    for one in (*shots, None):
        values = None if one is None else [one.sheet.number(key) for key in keywords]
        if (
            one is not None
            and run
            and values == [run[0].sheet.number(key) for key in keywords]
            and None not in values
        ):
            run.append(one)
            continue
        if len(run) >= _FEWEST and moved(run[0], run[-1]):
            still = [run[0].sheet.number(key) or 0.0 for key in keywords]
            yield (
                run[-1].sheet.file,
                Deviation(
                    ", ".join(keywords),
                    None,
                    still if len(still) > 1 else still[0],
                    float(len(run)),
                    None,
                    f"The same in {len(run)} headers from {run[0].id} on, while {why}.",
                ),
            )
        run = [one] if one is not None and values is not None and None not in values else []


def _moved(first: Shot, last: Shot) -> bool:
    """Tell whether the telescope has to have moved by more than any mount can hide."""
    a = (ra_deg(first.sheet, "RA"), dec_deg(first.sheet, "DEC"))
    b = (ra_deg(last.sheet, "RA"), dec_deg(last.sheet, "DEC"))
    if a[0] is None or a[1] is None or b[0] is None or b[1] is None:
        return False
    turned = (last.begin - first.begin) * 15.0 / 3600
    # Both together may leave the direction from the site as it was, as little as that happens.
    return turned > 0.05 and separation_deg(a[0] + turned, a[1], b[0], b[1]) > 0.05


def _long_ago(first: Shot, last: Shot) -> bool:
    return last.begin - first.begin > _WEATHER_FREEZES_S


RULES = (
    Rule(
        "stale-mount",
        Group.STALE,
        Severity.WARNING,
        "AZSTART, ELSTART, AZEND, ELEND, RA, DEC, DATE-BEG, site",
        "Az/El change while tracking",
        "The mount is said to stand still while its target moved.",
        mount_frozen,
        tolerance=0.005,
        unit="deg",
        hypotheses=("the same values twice",),
    ),
    Rule(
        "stale-commanded",
        Group.STALE,
        Severity.WARNING,
        "FILTER, FILTCMD, GRATING, GRATCMD",
        "FILTER = commanded filter",
        "What is in the beam is not what was commanded.",
        commanded,
    ),
    Rule(
        "stale-age",
        Group.STALE,
        Severity.WARNING,
        "age_s of the cards of a side-car",
        "0 <= age <= tolerance",
        "The value was old when it was used.",
        ages,
        tolerance=86400.0,
        unit="s",
        hypotheses=("a value of another image",),
    ),
)
SET_CHECKS: tuple[SetCheck, ...] = (
    (
        SetRule(
            "stale-frozen",
            Group.STALE,
            Severity.WARNING,
            "AZSTART, ELSTART, HASTART, AMSTART, ROTSTART; weather",
            "values change while related ones move",
            "The value stands still.",
            unit="headers",
        ),
        _frozen,
    ),
)
