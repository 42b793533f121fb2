"""Dates among themselves: order, scale, Julian dates, lengths."""

from __future__ import annotations

from collections.abc import Iterator

from armillary.headers.rules.instants import (
    DAY,
    Instant,
    Span,
    half_unit,
    is_epoch,
    iso,
    offset_from_utc,
    read_date,
    span_of,
    tai_minus_utc,
)
from armillary.headers.rules.models import Deviation, Group, Rule, Severity
from armillary.headers.rules.sheet import Sheet

_DATES = ("DATE", "DATE-OBS", "DATE-BEG", "DATE-END", "DATE-AVG", "DATE-TRG", "DATEPBEG", "DATEPEND")
_MJDS = ("MJD", "MJD-OBS", "MJD-BEG", "MJD-END", "MJD-AVG", "MJD-TRG", "MJDPBEG", "MJDPEND")
_COADDS = ("COADDS", "NCOADDS", "NCOADD", "CYCLES", "NAVERAGE", "FRMSPCYC")
_SHORTEST = 1e-3


def order(sheet: Sheet, tolerance: float) -> Iterator[Deviation]:
    """Find exposures that end before they begin."""
    span = span_of(sheet)
    if not (span.begin and span.end):
        return
    short = span.begin.seconds - span.end.seconds
    if short > tolerance + span.begin.rounding + span.end.rounding:
        yield Deviation(
            f"{span.begin.keyword}, {span.end.keyword}",
            f"not before {iso(span.begin.seconds)}",
            iso(span.end.seconds),
            round(-short, 3),
            "a day lost" if DAY - 43200 < short <= DAY else None,
        )


def created(sheet: Sheet, tolerance: float) -> Iterator[Deviation]:
    """Find headers that were written before the exposure ended."""
    span = span_of(sheet)
    finish = span.finish
    if not (span.created and span.begin and finish is not None) or finish < span.begin.seconds:
        return
    early = finish - span.created.seconds
    if early <= tolerance + span.begin.rounding + 2 * span.created.rounding:
        return
    hypothesis, severity = _why_early(span, span.created, finish, tolerance)
    yield Deviation(
        "DATE",
        f"not before {iso(finish)}",
        iso(span.created.seconds),
        round(-early, 3),
        hypothesis,
        severity=severity,
    )


def _why_early(
    span: Span, written: Instant, finish: float, tolerance: float
) -> tuple[str | None, Severity | None]:
    assert span.begin is not None
    for moment, name in (
        ((span.begin.seconds + finish) / 2, "DATE is the middle of the exposure"),
        (span.begin.seconds, "DATE is the beginning of the exposure"),
    ):
        if abs(written.seconds - moment) < 0.05 + 2 * written.rounding:
            return name, None
    ahead = offset_from_utc(span.scale, finish)
    if ahead and written.seconds + ahead >= finish - tolerance:
        return f"DATE is UTC, while the others are {span.scale} ({ahead:g} s)", Severity.NOTE
    return None, None


def julian(sheet: Sheet, tolerance: float) -> Iterator[Deviation]:
    """Compare each date with its modified Julian date."""
    span = span_of(sheet)
    for date, mjd in zip(_DATES, _MJDS, strict=True):
        number, found = sheet.number(mjd), read_date(sheet.value(date))
        if number is None or found is None or number < 30000 or found[1] > 1:
            continue
        off = number * DAY - found[0]
        # Doubles of this size tell half a microsecond.
        limit = tolerance + found[1] + half_unit(number) * DAY + 1e-6
        if abs(off) <= limit:
            continue
        said = _of_scale(off, found[0], span, limit)
        other = _of_moment(number * DAY, span, limit) if not said else None
        if other and mjd in ("MJD", "MJD-OBS") and not sheet.has("DAYOBS"):
            # Outside this family, MJD and MJD-OBS are often those of another moment.
            continue
        yield Deviation(
            f"{date}, {mjd}",
            round(found[0] / DAY, 10),
            number,
            round(off, 4),
            said or other,
            proposal=f"{mjd}={found[0] / DAY:.10f}",
        )


def _of_scale(off: float, seconds: float, span: Span, limit: float) -> str | None:
    leap = tai_minus_utc(int(seconds // DAY))
    for amount, name in (
        (leap, "TAI-UTC added to the Julian date"),
        (-leap, "TAI-UTC taken off the Julian date"),
        (leap + 32.184, "the Julian date is TT"),
        (DAY / 2, "a Julian date half a day off"),
        (-DAY / 2, "a Julian date half a day off"),
        (DAY, "a day off"),
        (-DAY, "a day off"),
    ):
        if abs(off - amount) <= limit:
            return f"{name} ({amount:g} s)"
    return None


def _of_moment(seconds: float, span: Span, limit: float) -> str | None:
    finish = span.finish
    if span.begin is None or finish is None:
        return None
    for moment, name in (
        ((span.begin.seconds + finish) / 2, "the Julian date is that of the middle of the exposure"),
        (finish, "the Julian date is that of the end"),
        (span.begin.seconds, "the Julian date is that of the beginning"),
    ):
        if abs(seconds - moment) <= limit:
            return name
    return None


def epochs(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Find dates that are the zero of a clock."""
    for keyword in (*_DATES, *_MJDS):
        value = sheet.value(keyword)
        name = None if value is None else is_epoch(value)
        if name:
            yield Deviation(keyword, None, value, None, name, proposal=f"{keyword}=")


def scale(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Find headers that tell times without saying in which scale."""
    if not sheet.has("TIMESYS") and any(
        sheet.value(one) for one in ("DATE-OBS", "DATE-BEG", "MJD-OBS", "MJD-BEG")
    ):
        yield Deviation("TIMESYS", "UTC, TAI or another scale", None)
    elif sheet.has("TIMESYS") and not sheet.word("TIMESYS"):
        yield Deviation("TIMESYS", "UTC, TAI or another scale", sheet.value("TIMESYS"))


def _expected_length(sheet: Sheet, span: Span) -> float | None:
    if span.exposure is None or span.exposure < 0:
        return None
    times = 1.0
    for keyword in _COADDS:
        number = sheet.number(keyword)
        times *= number if number and number >= 1 else 1.0
    return span.exposure * times


def lengths(sheet: Sheet, tolerance: float) -> Iterator[Deviation]:
    """Compare the time from beginning to end with what the header says of its length."""
    span = span_of(sheet)
    if not (span.begin and span.end) or span.end.seconds < span.begin.seconds:
        return
    length = span.end.seconds - span.begin.seconds
    limit = tolerance + span.begin.rounding + span.end.rounding
    dark = sheet.number("DARKTIME")
    wanted = _expected_length(sheet, span)
    if wanted is not None and span.exposure is not None and length < span.exposure - limit:
        unit = "milliseconds for seconds" if abs(span.exposure / 1000 - length) < limit + 1 else None
        yield Deviation(
            f"{span.begin.keyword}, {span.end.keyword}, EXPTIME",
            round(wanted, 4),
            round(length, 4),
            round(length - wanted, 4),
            unit,
            "The time from beginning to end is shorter than the exposure.",
        )
    elif dark is not None and abs(length - dark) > limit + 0.001 * dark and sheet.has("DAYOBS"):
        yield Deviation(
            f"{span.begin.keyword}, {span.end.keyword}, DARKTIME",
            round(length, 4),
            dark,
            round(dark - length, 4),
            "milliseconds for seconds" if length and abs(dark / 1000 - length) < limit else None,
            "The dark time is not the time from beginning to end.",
        )
    elif dark is None and wanted is not None and sheet.has("DAYOBS") and length > wanted + limit + 5.0:
        shutter = sheet.number("SHUTTIME")
        yield Deviation(
            f"{span.begin.keyword}, {span.end.keyword}, EXPTIME",
            wanted,
            round(length, 4),
            round(length - wanted, 4),
            None,
            "The time from beginning to end is longer than the exposure"
            + (f" (SHUTTIME {shutter:g} s)." if shutter is not None else "."),
            severity=Severity.NOTE,
        )


def dark_time(sheet: Sheet, tolerance: float) -> Iterator[Deviation]:
    """Find dark times shorter than the exposure."""
    dark, exposure = sheet.number("DARKTIME"), sheet.number("EXPTIME")
    if dark is not None and exposure is not None and dark < exposure - tolerance - 0.001 * exposure:
        yield Deviation("DARKTIME, EXPTIME", f"at least {exposure:g}", dark, round(dark - exposure, 4))


def shutter_time(sheet: Sheet, tolerance: float) -> Iterator[Deviation]:
    """Compare the time that the shutter was open with the exposure."""
    shutter, exposure = sheet.number("SHUTTIME"), sheet.number("EXPTIME")
    if shutter is None or exposure is None or sheet.word("IMGTYPE") in ("BIAS", "DARK"):
        return
    if abs(shutter - exposure) > tolerance + 0.02 * exposure:
        unit = "milliseconds for seconds" if abs(shutter / 1000 - exposure) <= tolerance else None
        yield Deviation("SHUTTIME, EXPTIME", exposure, shutter, round(shutter - exposure, 4), unit)


RULES = (
    Rule(
        "time-order",
        Group.TIME,
        Severity.ERROR,
        "DATE-BEG or DATE-OBS, DATE-END",
        "DATE-BEG <= DATE-END",
        "The exposure ends before it begins.",
        order,
        tolerance=_SHORTEST,
        unit="s",
        hypotheses=("a day lost",),
    ),
    Rule(
        "time-created",
        Group.TIME,
        Severity.WARNING,
        "DATE, DATE-END, EXPTIME, TIMESYS",
        "DATE-END <= DATE",
        "DATE, when the header was written, is before the end of the exposure.",
        created,
        tolerance=0.05,
        unit="s",
        hypotheses=("DATE is UTC", "DATE is the middle or the beginning of the exposure"),
    ),
    Rule(
        "time-mjd",
        Group.TIME,
        Severity.ERROR,
        "DATE* and MJD* of the same moment",
        "MJD = days of DATE",
        "Date and modified Julian date differ.",
        julian,
        tolerance=1e-3,
        unit="s",
        hypotheses=("TAI-UTC", "TT", "a day or half", "another moment of the exposure"),
    ),
    Rule(
        "time-epoch",
        Group.TIME,
        Severity.ERROR,
        "DATE*, MJD*",
        "no date is the zero of a clock",
        "The date is the zero of a clock, so the value was never set.",
        epochs,
    ),
    Rule(
        "time-scale",
        Group.TIME,
        Severity.WARNING,
        "TIMESYS",
        "TIMESYS says the scale of all dates",
        "The header tells times and not their scale; UTC is assumed (FITS 4.0, section 9.2.1).",
        scale,
    ),
    Rule(
        "time-length",
        Group.TIME,
        Severity.ERROR,
        "DATE-BEG, DATE-END, EXPTIME, DARKTIME",
        "end - begin >= EXPTIME, = DARKTIME",
        "Beginning, end and length differ.",
        lengths,
        tolerance=0.5,
        unit="s",
        hypotheses=("milliseconds for seconds",),
    ),
    Rule(
        "time-dark",
        Group.TIME,
        Severity.ERROR,
        "DARKTIME, EXPTIME",
        "DARKTIME >= EXPTIME",
        "The dark time is shorter than the exposure.",
        dark_time,
        tolerance=0.05,
        unit="s",
    ),
    Rule(
        "time-shutter",
        Group.TIME,
        Severity.WARNING,
        "SHUTTIME, EXPTIME",
        "SHUTTIME = EXPTIME",
        "The shutter was not open as long as the exposure.",
        shutter_time,
        tolerance=0.5,
        unit="s",
        hypotheses=("milliseconds for seconds",),
    ),
)
