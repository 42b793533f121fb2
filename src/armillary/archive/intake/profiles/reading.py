"""Asking the sources of a field one after the other until one has a credible answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from armillary.archive.fields import FieldRule
from armillary.archive.intake.profiles import values as read
from armillary.archive.intake.profiles.instants import Stamp, read_stamp, seconds_of_day, usual_instant
from armillary.archive.intake.profiles.lookup import Lookup
from armillary.archive.intake.profiles.plan import Profile, Rule, folded
from armillary.archive.intake.profiles.units import factor_of, stated_unit, unit_named
from armillary.fits.models import Value
from armillary.sky.timescales import utc_from_scale

_DAY = timedelta(days=1)
_SHOWN = 60


@dataclass(slots=True)
class Reading:
    """One file being read by one profile; collects the warnings.

    ``day`` is the first day that was met on the way to an instant that could not be told, with the keyword and the
    value that a warning is still due for.
    """

    lookup: Lookup
    profile: Profile
    warnings: list[str] = field(default_factory=list)
    day: date | None = None
    undated: tuple[str, Value] | None = None

    def first(self, rule: FieldRule, sources: Sequence[Rule], start: datetime | None) -> Any:
        """Return the value of the first source that has one, or None."""
        get, unread = self.lookup.get, self.lookup.primary
        for source in sources:
            # Most sources are absent from a header, so they cost no more than this look.
            if source.only is not None and get(source.only, primary_only=source.primary) is None:
                if source.only in unread:
                    self._warn_unread(source.only)
                continue
            if source.when and not all(test(self.lookup) for test in source.when):
                continue
            if source.said and not source.said.search(self.lookup.comment(source.keywords[0])):
                continue
            value = self._raw(source)
            if value is None:
                continue
            if source.source.doubt:
                self.warn("+".join(source.keywords), value, source.source.doubt)
                continue
            try:
                if source.is_plain and (reader := read.READERS.get(rule.kind)):
                    found: Any = reader(value, rule)
                else:
                    found = self._read(value, rule, source, start)
            except (ValueError, OverflowError) as error:
                self.warn("+".join(source.keywords), value, error)
                continue
            if found is not None and found != "":
                return found
        return None

    def defined(self, keyword: str) -> Value:
        """Return the value of a keyword unless it is a word that means nothing."""
        value = self.lookup.get(keyword)
        if isinstance(value, str) and value.strip().upper() in self.profile.missing:
            return None
        return value

    def number(self, keyword: str) -> float | None:
        """Return a number, or None with a warning if there is something else."""
        value = self.defined(keyword)
        try:
            return None if value is None else read.read_number(value, FieldRule("number"))
        except ValueError as error:
            self.warn(keyword, value, error)
            return None

    def warn(self, keyword: str, value: Value, reason: object) -> None:
        """Note that a value was left out."""
        shown = repr(value)
        cut = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
        self.warnings.append(f"{keyword} = {cut}: {reason}")

    def _warn_unread(self, keyword: str) -> None:
        """Warn of a card whose value is not one of FITS; undefined values and some words tell nothing."""
        text = self.lookup.unread(keyword)
        if text and text.strip("'").strip().lstrip("+-").upper() not in self.profile.missing:
            self.warn(keyword, text, "not a value of FITS")

    def _raw(self, source: Rule) -> Value:
        if not source.keywords:
            return source.source.value
        if source.only is not None:
            part = self._part(source.only, source)
            return part if part is None or source.source.value is None else source.source.value
        parts = [self._part(keyword, source) for keyword in source.keywords]
        present = [folded(p) if not isinstance(p, str) else p for p in parts if p is not None]
        return source.source.join.join(present) or None

    def _part(self, keyword: str, source: Rule) -> Value:
        value = self.lookup.get(keyword, primary_only=source.primary)
        if isinstance(value, str):
            text = value.strip()
            if text.upper() in self.profile.missing:
                return None
            if source.drop and source.drop.search(text):
                return None
            return source.strip.sub("", text) if source.strip else text
        return value

    def _read(self, value: Value, rule: FieldRule, source: Rule, start: datetime | None) -> Any:
        options = source.source
        if source.pattern is not None:
            found = source.pattern.search(str(value))
            if options.read == "matches":
                return found is not None
            if found is None:
                return None
            value = found[1] if found.re.groups else found[0]
        if source.words:
            word = folded(value)
            if word not in source.words and not options.keep_unmapped:
                return None
            value = source.words.get(word, value)
        if options.append:
            value = f"{value}{options.append}"
        factor = self._factor(source)
        if factor is not None:
            value = self._scaled(value, rule, source, factor)
        elif source.factor is not None:
            return None
        if options.minus:
            if (less := self.number(options.minus)) is None:
                return None
            value = read.read_number(value, FieldRule("number")) - less
        if options.times:
            value = read.read_number(value, rule) * (self.number(options.times) or 1.0)
        if options.bands:
            return _band(read.read_number(value, FieldRule("number")), options.bands)
        return self._typed(value, rule, source, start)

    def _factor(self, source: Rule) -> float | None:
        """Return the factor to the unit of the field; None if the source has none, or is something else."""
        options, word = source.source, None
        if options.unit_keyword and isinstance(told := self.defined(options.unit_keyword), str):
            word = told
        elif options.stated and source.only:
            word = stated_unit(self.lookup.comment(source.only))
        return factor_of(word, base=options.unit or "s") if word else source.factor

    def _scaled(self, value: Value, rule: FieldRule, source: Rule, factor: float) -> float:
        if rule.turn or rule.low == -90.0 or source.source.unit in ("deg", "hour"):
            return read.read_angle(value, factor, sexagesimal_factor=factor)
        return read.read_number(value, FieldRule("number")) * factor

    def _typed(self, value: Value, rule: FieldRule, source: Rule, start: datetime | None) -> Any:
        match source.source.read, rule.kind:
            case "public_from", _:
                return read.read_public_from(value, rule) + _DAY * source.source.plus_days
            case "mjd", _:
                return self._to_utc(read.read_mjd(value), source)
            case "zenith_distance", _:
                return read.read_number(90.0 - read.read_number(value, FieldRule("number")), rule)
            case "time_of_day", "instant":
                return _following(start, seconds_of_day(value, self._unit_of(source.only))) if start else None
            case _, "instant":
                return self._instant(value, source)
            case _, "day":
                day: date = read.READERS["day"](value, rule)  # type: ignore[assignment]  # readers are keyed by kind
                return day + _DAY * source.source.plus_days
        return read.READERS[rule.kind](value, rule)

    def _instant(self, value: Value, source: Rule) -> datetime | None:
        if found := usual_instant(value):
            return self._to_utc(found, source)
        # Most headers say day and time of day by two cards, of which each has the usual form.
        clock_text = next((one for one in map(self.defined, source.source.time) if one is not None), None)
        if found := usual_instant(f"{value}T{clock_text}"):
            return self._to_utc(found, source)
        stamp = read_stamp(value)
        if stamp.seconds is not None:
            return self._to_utc(stamp.reading(), source, stamp.scale)
        for keyword in source.source.time:
            if (clock := self._clock(keyword)) is not None:
                told = clock.scale or stamp.scale
                reading = clock.reading() if clock.day != date.min else stamp.reading(clock.seconds)
                return self._to_utc(reading, source, told)
        self._note_day(stamp.day)
        if self.undated is None:
            self.undated = source.keywords[0], value
        return None

    def _clock(self, keyword: str) -> Stamp | None:
        """Return what the keyword of a time of day says; the day is `date.min` if it tells none."""
        value = self.defined(keyword)
        if value is None:
            return None
        if isinstance(value, str) and (stamp := _stamp_or_none(value)):
            return stamp
        try:
            return Stamp(date.min, seconds_of_day(value, self._unit_of(keyword)))
        except ValueError as error:
            self.warn(keyword, value, error)
            return None

    def _unit_of(self, keyword: str | None) -> str:
        """Return the unit that the comment of a card states, where it is one that is known."""
        word = stated_unit(self.lookup.comment(keyword)) if keyword else None
        return (word and unit_named(word)) or ""

    def _note_day(self, day: date) -> None:
        self.day = self.day or day

    def _to_utc(self, reading: datetime, source: Rule, told: str = "") -> datetime:
        """Return the instant of a reading of a clock; the scale beside it counts before that of the header."""
        scale = told or self.defined("TIMESYS") or source.source.scale or self.profile.time_scale
        try:
            return utc_from_scale(reading, str(scale))
        except ValueError:
            self._note_day(reading.date())
            raise


def _stamp_or_none(text: str) -> Stamp | None:
    """Return what a text says if it has a day and a time of day."""
    try:
        stamp = read_stamp(text)
    except ValueError:
        return None
    return stamp if stamp.seconds is not None else None


def _following(start: datetime, seconds: float) -> datetime:
    """Return the first instant of that time of day at or after ``start``, a second of rounding allowed."""
    midnight = datetime.combine(start.date(), time(0), start.tzinfo)
    end = midnight + timedelta(seconds=seconds)
    return end if end >= start - timedelta(seconds=1) else end + _DAY


def _band(number: float, bands: Sequence[tuple[float, str]]) -> str | None:
    return next((word for bound, word in bands if number <= bound), None)
