"""What an image is called, against the cards that say the same."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import pairwise

from armillary.headers.rules.instants import DAY, iso, span_of
from armillary.headers.rules.models import Deviation, Group, Rule, SetRule, Severity
from armillary.headers.rules.sheet import OBSID, Sheet, parts_of
from armillary.headers.rules.shots import SetCheck, Shot, by_camera

_MJD_DAY = date(1858, 11, 17)


def obsid(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Compare the parts of the image id with the cards that repeat them."""
    parts = parts_of(sheet)
    if parts is None:
        return
    for keywords, part in zip((("CAMCODE", "TELCODE"), ("CONTRLLR",), ("DAYOBS",)), parts[:3], strict=True):
        for keyword in keywords:
            value = sheet.value(keyword)
            if value is not None and str(value).strip() not in (part, ""):
                yield Deviation(keyword, part, value, proposal=f"{keyword}='{part}'")
    number = sheet.number("SEQNUM")
    if number is not None and number != parts[3]:
        yield Deviation("SEQNUM", parts[3], sheet.value("SEQNUM"), number - parts[3], unit="images")
    day, of_id = sheet.number("DAYOBS"), sheet.number("EXPID") or sheet.number("EXPOSID")
    if of_id is not None and day is not None and of_id != int(parts[2]) * 100000 + parts[3]:
        yield Deviation("EXPID", int(parts[2]) * 100000 + parts[3], of_id)


def day(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Compare the observing day with the date of TAI twelve hours before the exposure."""
    span = span_of(sheet)
    value = sheet.value("DAYOBS")
    stated = re.fullmatch(r"(\d{4})-?(\d\d)-?(\d\d)", str(value).strip()) if value is not None else None
    if stated is None or span.begin is None:
        return
    wanted = _MJD_DAY + timedelta(days=int((span.to_tai(span.begin.seconds) - DAY / 2) // DAY))
    try:
        found = date(int(stated[1]), int(stated[2]), int(stated[3]))
    except ValueError:
        yield Deviation("DAYOBS", f"{wanted:%Y%m%d}", value)
        return
    if found == wanted:
        return
    utc_day = _MJD_DAY + timedelta(days=int(span.begin.seconds // DAY))
    yield Deviation(
        "DAYOBS",
        f"{wanted:%Y%m%d}",
        value,
        float((found - wanted).days),
        "the calendar date of the beginning, without 12 h taken off" if found == utc_day else None,
        proposal=f"DAYOBS='{wanted:%Y%m%d}'",
    )


def filename(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Find file names of another image."""
    mine, name = OBSID.fullmatch(sheet.text("OBSID") or ""), sheet.text("FILENAME")
    theirs = OBSID.match(name or "")
    if mine and theirs and mine[0] != theirs[0]:
        yield Deviation("FILENAME", f"{mine[0]}*", name)


_SPELLED = ("INSTRUME", "TELESCOP", "FILTER", "GRATING")
_ENOUGH = 5


def repeats(sheets: Sequence[Sheet]) -> Iterator[tuple[str, Deviation]]:
    """Find one image id with several beginnings."""
    first: dict[tuple[str, str], Sheet] = {}
    for sheet in sheets:
        begin = span_of(sheet).begin
        if begin is None or not parts_of(sheet):
            continue
        key = (sheet.text("OBSID") or "", sheet.text("INSTRUME") or "")
        other = first.setdefault(key, sheet)
        before = span_of(other).begin
        if before is not None and abs(begin.seconds - before.seconds) > 0.01:
            yield (
                sheet.file,
                Deviation(
                    "OBSID",
                    iso(before.seconds),
                    iso(begin.seconds),
                    round(begin.seconds - before.seconds, 3),
                    None,
                    f"{key[0]} began at another time in {other.file}.",
                ),
            )


def _overlaps(shots: Sequence[Shot], tolerance: float) -> Iterator[tuple[str, Deviation]]:
    """Find exposures of one camera that began before the one before had ended."""
    for group in by_camera([one for one in shots if parts_of(one.sheet)]):
        last = None
        for one in group:
            if last is not None and last.end - one.begin > tolerance and last.end > last.begin:
                same = "began in the same instant" if abs(one.begin - last.begin) < 1e-3 else None
                yield (
                    one.sheet.file,
                    Deviation(
                        "OBSID, DATE-BEG",
                        None,
                        one.id,
                        round(last.end - one.begin, 3),
                        same,
                        f"{one.id} began while {last.id} of the same camera was being exposed.",
                    ),
                )
            if last is None or one.end > last.end:
                last = one


def _gaps(shots: Sequence[Shot], _: float) -> Iterator[tuple[str, Deviation]]:
    """Find numbers that are missing in a night of which most are there."""
    nights: dict[tuple[str, str, str], dict[int, Shot]] = defaultdict(dict)
    for one in shots:
        if parts := parts_of(one.sheet):
            nights[parts[:3]][parts[3]] = one
    for numbers in nights.values():
        have = sorted(numbers)
        whole = have[-1] - have[0] + 1
        # Of a selection that was thinned out, gaps tell nothing.
        if len(have) < _ENOUGH or len(have) < 0.8 * whole:
            continue
        for before, after in pairwise(have):
            if after - before > 1:
                yield (
                    numbers[after].sheet.file,
                    Deviation(
                        "SEQNUM",
                        before + 1,
                        after,
                        float(after - before - 1),
                        None,
                        "Images are missing before this one.",
                    ),
                )


def spellings(sheets: Sequence[Sheet]) -> Iterator[tuple[str, Deviation]]:
    """Find names that differ from those of others in capitals, blanks or signs only."""
    for keyword in _SPELLED:
        by_letters: dict[str, Counter[str]] = defaultdict(Counter)
        for sheet in sheets:
            if name := sheet.text(keyword):
                by_letters[re.sub(r"[\W_]", "", name).lower()][name] += 1
        usual = {
            letters: names.most_common(1)[0][0] for letters, names in by_letters.items() if len(names) > 1
        }
        for sheet in sheets if usual else ():
            name = sheet.text(keyword)
            wanted = usual.get(re.sub(r"[\W_]", "", name).lower()) if name else None
            if name and wanted and name != wanted:
                yield sheet.file, Deviation(keyword, wanted, name, proposal=f"{keyword}='{wanted}'")


RULES = (
    Rule(
        "identity-obsid",
        Group.IDENTITY,
        Severity.ERROR,
        "OBSID, CAMCODE, TELCODE, CONTRLLR, DAYOBS, SEQNUM",
        "OBSID = camera_controller_day_sequence",
        "A card contradicts the image id.",
        obsid,
    ),
    Rule(
        "identity-day",
        Group.IDENTITY,
        Severity.ERROR,
        "DAYOBS, DATE-BEG, TIMESYS",
        "DAYOBS = date of TAI - 12 h",
        "The observing day is not that of the beginning.",
        day,
        tolerance=0.0,
        unit="d",
        hypotheses=("calendar date",),
    ),
    Rule(
        "identity-filename",
        Group.IDENTITY,
        Severity.ERROR,
        "FILENAME, OBSID",
        "FILENAME begins with OBSID",
        "The file name is that of another image.",
        filename,
    ),
)
SET_CHECKS: tuple[SetCheck, ...] = (
    (
        SetRule(
            "identity-overlap",
            Group.IDENTITY,
            Severity.ERROR,
            "INSTRUME, CONTRLLR, DATE-BEG, DATE-END",
            "exposures of one camera follow one another",
            "Two exposures of one camera overlap.",
            tolerance=0.01,
            unit="s",
            hypotheses=("began in the same instant",),
        ),
        _overlaps,
    ),
    (
        SetRule(
            "identity-gap",
            Group.IDENTITY,
            Severity.NOTE,
            "OBSID",
            "numbers of a night follow one another, if most are there",
            "Images are missing.",
            unit="images",
        ),
        _gaps,
    ),
)
REPEAT = SetRule(
    "identity-repeat",
    Group.IDENTITY,
    Severity.ERROR,
    "OBSID, DATE-BEG",
    "one beginning for each image id",
    "One image id has two beginnings.",
    unit="s",
)
SPELLING = SetRule(
    "identity-spelling",
    Group.IDENTITY,
    Severity.WARNING,
    "INSTRUME, TELESCOP, FILTER, GRATING",
    "one spelling",
    "The name is spelt otherwise than in the other headers.",
)
