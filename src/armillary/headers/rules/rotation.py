"""Rotation on the sky: ranges, and parallactic angle and rotator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from armillary.headers.rules.instants import span_of
from armillary.headers.rules.models import Deviation, Group, Rule, SetRule, Severity
from armillary.headers.rules.sheet import Sheet
from armillary.headers.rules.shots import SetCheck, Shot, by_camera
from armillary.headers.rules.target import TURN_PER_SECOND, angle, target_of, wrap
from armillary.sky.pointing import parallactic_deg

_ANGLES = ("ROTPA", "ROTANGLE", "ROTSTART", "ROTEND", "ROTSKYPA", "PA")
_ROTATORS = ("ROTSTART", "ROTTELPOS", "ROTATOR")


def ranges(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Find angles of more than a turn."""
    for keyword in _ANGLES:
        number = sheet.number(keyword)
        if number is not None and not -180.0 <= number <= 360.0:
            yield Deviation(
                keyword,
                "0 to 360, or -180 to 180",
                number,
                round(number - number % 360.0, 4),
                "a turn not taken off" if -360 < number < 720 else None,
                proposal=f"{keyword}={number % 360.0!r}",
            )


def convention(sheet: Sheet) -> tuple[str, float, float] | None:
    """Return how position angle, rotator and parallactic angle go together: the signs, the rest, the angle q.

    The rest of the convention that comes nearest to a whole number of quarter turns, in degrees.
    """
    target = target_of(sheet)
    on_sky = angle(sheet, "ROTPA")
    rotator = next((found for one in _ROTATORS if (found := angle(sheet, one)) is not None), None)
    if target is None or on_sky is None or rotator is None or not sheet.sidereal:
        return None
    if sheet.word("ROTCOORD") not in ("SKY", ""):
        return None
    frame = target.frames[0]
    q = parallactic_deg(target.sidereal_deg - frame.ra, frame.dec, target.place.latitude)
    tried = (
        (f"ROTPA = {a}q {b} rotator", wrap(on_sky - sign * q - way * rotator))
        for a, sign in (("", 1), ("-", -1))
        for b, way in (("+", 1), ("-", -1))
    )
    name, rest = min(tried, key=lambda one: abs(wrap(4 * one[1])))
    return name, rest, q


def parallactic(sheet: Sheet, tolerance: float) -> Iterator[Deviation]:
    """Compare the position angle with rotator and parallactic angle."""
    found = convention(sheet)
    if found is None:
        return
    name, rest, q = found
    off = wrap(4 * rest) / 4
    if abs(off) > tolerance:
        actual = angle(sheet, "ROTPA")
        assert actual is not None
        yield Deviation(
            "ROTPA",
            round((actual - off) % 360.0, 3),
            round(actual, 3),
            round(off, 3),
            None,
            text=f"The position angle fits no sum of rotator and parallactic angle ({q:.2f} deg) to quarter turns;"
            f" nearest is {name}.",
        )


def rotator_rate(sheet: Sheet, tolerance: float) -> Iterator[Deviation]:
    """Compare how far the rotator went with the change of the parallactic angle."""
    first, last = angle(sheet, "ROTSTART"), angle(sheet, "ROTEND")
    target, span = target_of(sheet), span_of(sheet)
    if first is None or last is None or target is None or span.begin is None or span.finish is None:
        return
    if not sheet.sidereal or sheet.word("ROTCOORD") not in ("SKY", ""):
        return
    length = span.finish - span.begin.seconds
    if not 0 < length < 7200:
        return
    frame, latitude = target.frames[0], target.place.latitude
    start = target.sidereal_deg - frame.ra
    expected = wrap(
        parallactic_deg(start + length * TURN_PER_SECOND, frame.dec, latitude)
        - parallactic_deg(start, frame.dec, latitude)
    )
    actual = wrap(last - first)
    limit = tolerance + 0.1 * abs(expected)
    if min(abs(actual - expected), abs(actual + expected)) <= limit:
        return
    turns = next(
        (
            t
            for t in (90.0, 180.0, -90.0)
            if min(abs(wrap(actual - t - e)) for e in (expected, -expected)) <= limit
        ),
        None,
    )
    hypothesis = (
        "the same value twice" if actual == 0 else f"a jump of {abs(turns):g} degrees" if turns else None
    )
    yield Deviation(
        "ROTSTART, ROTEND",
        round(expected, 4),
        round(actual, 4),
        round(abs(actual) - abs(expected), 4),
        hypothesis,
    )


_ENOUGH = 5


def _turns(shots: Sequence[Shot], tolerance: float) -> Iterator[tuple[str, Deviation]]:
    """Find images whose rotation is quarter or half a turn from that of the others."""
    for group in by_camera(shots):
        found = [(one, told) for one in group if (told := convention(one.sheet))]
        if len(found) < _ENOUGH:
            continue
        names = Counter(told[0] for _, told in found)
        usual = names.most_common(1)[0][0]
        rests = [(one, told[1] % 360.0) for one, told in found if told[0] == usual]
        mode = Counter(round(rest / 90.0) % 4 for _, rest in rests).most_common(1)[0]
        if mode[1] < 0.7 * len(rests):
            continue
        for one, rest in rests:
            off = (rest - mode[0] * 90.0 + 180.0) % 360.0 - 180.0
            quarters = round(off / 90.0)
            if quarters and abs(off - 90.0 * quarters) < tolerance:
                turn = "half a turn" if abs(quarters) == 2 else "a quarter turn"
                yield one.sheet.file, Deviation("ROTPA", None, one.sheet.number("ROTPA"), round(off, 3), turn)


RULES = (
    Rule(
        "rotation-range",
        Group.ROTATION,
        Severity.WARNING,
        "ROTPA, ROTANGLE, ROTSTART, ROTEND, ROTSKYPA, PA",
        "within 0 to 360 or -180 to 180",
        "The angle is more than a turn.",
        ranges,
        tolerance=0.0,
        unit="deg",
        hypotheses=("a turn not taken off",),
    ),
    Rule(
        "rotation-parallactic",
        Group.ROTATION,
        Severity.WARNING,
        "ROTPA, ROTSTART, ROTCOORD, RA, DEC, DATE-BEG, site",
        "ROTPA = +-q +- rotator + quarter turns",
        "The position angle does not fit rotator and parallactic angle.",
        parallactic,
        tolerance=1.0,
        unit="deg",
    ),
    Rule(
        "rotation-rate",
        Group.ROTATION,
        Severity.WARNING,
        "ROTSTART, ROTEND, RA, DEC, DATE-BEG, DATE-END, site",
        "|ROTEND - ROTSTART| = |change of q| while tracking",
        "The rotator did not follow the sky.",
        rotator_rate,
        tolerance=0.1,
        unit="deg",
        hypotheses=("the same value twice", "half- and quarter-turn jumps"),
    ),
)
SET_CHECKS: tuple[SetCheck, ...] = (
    (
        SetRule(
            "rotation-turn",
            Group.ROTATION,
            Severity.WARNING,
            "ROTPA, ROTSTART, RA, DEC, DATE-BEG, site",
            "ROTPA - rotator - q is the same for all",
            "The rotation is turned against the other headers.",
            tolerance=2.0,
            unit="deg",
            hypotheses=("a quarter turn", "half a turn"),
        ),
        _turns,
    ),
)
