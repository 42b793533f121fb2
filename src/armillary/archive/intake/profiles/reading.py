"""Asking the sources of a field one after the other until one has a credible answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from armillary.archive.fields import FieldRule
from armillary.archive.intake.profiles import values as read
from armillary.archive.intake.profiles.lookup import Lookup
from armillary.archive.intake.profiles.plan import Profile, Rule, folded
from armillary.fits.models import Value
from armillary.sky.timescales import utc_from_scale

_DAY = timedelta(days=1)
_SHOWN = 60


@dataclass(slots=True)
class Reading:
    """One file being read by one profile; collects the warnings."""

    lookup: Lookup
    profile: Profile
    warnings: list[str] = field(default_factory=list)

    def first(self, rule: FieldRule, sources: Sequence[Rule], start: datetime | None) -> Any:
        """Return the value of the first source that has one, or None."""
        get = self.lookup.get
        for source in sources:
            # Most sources are absent from a header, so they cost no more than this look.
            if source.only is not None and get(source.only, primary_only=source.primary) is None:
                continue
            if source.when and not all(test(self.lookup) for test in source.when):
                continue
            value = self._raw(source)
            if value is None:
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
        if source.factor is not None:
            value = self._scaled(value, rule, source)
        if options.times:
            value = read.read_number(value, rule) * (self.number(options.times) or 1.0)
        if options.bands:
            return _band(read.read_number(value, FieldRule("number")), options.bands)
        return self._typed(value, rule, source, start)

    def _scaled(self, value: Value, rule: FieldRule, source: Rule) -> float:
        factor = source.factor or 1.0
        if rule.turn or rule.low == -90.0 or source.source.unit in ("deg", "hour"):
            return read.read_angle(value, factor, sexagesimal_factor=factor)
        return read.read_number(value, FieldRule("number")) * factor

    def _typed(self, value: Value, rule: FieldRule, source: Rule, start: datetime | None) -> Any:
        match source.source.read, rule.kind:
            case "public_from", _:
                return read.read_public_from(value, rule) + _DAY * source.source.plus_days
            case "mjd", _:
                return self._to_utc(read.read_mjd(value))
            case "time_of_day", "instant":
                return _following(start, read.seconds_of_day(value)) if start else None
            case _, "instant":
                return self._instant(value, source)
            case _, "day":
                day: date = read.READERS["day"](value, rule)  # type: ignore[assignment]  # readers are keyed by kind
                return day + _DAY * source.source.plus_days
        return read.READERS[rule.kind](value, rule)

    def _instant(self, value: Value, source: Rule) -> datetime | None:
        found = read.read_instant(value)
        if isinstance(found, datetime):
            return self._to_utc(found)
        seconds = self._seconds(source.source.time) if source.source.time else None
        if seconds is None:
            return None
        return self._to_utc(datetime.combine(found, time(0), UTC) + timedelta(seconds=seconds))

    def _seconds(self, keyword: str) -> float | None:
        clock = self.defined(keyword)
        try:
            return None if clock is None else read.seconds_of_day(clock)
        except ValueError as error:
            self.warn(keyword, clock, error)
            return None

    def _to_utc(self, reading: datetime) -> datetime:
        scale = self.defined("TIMESYS")
        return utc_from_scale(reading, str(scale) if scale else self.profile.time_scale)


def _following(start: datetime, seconds: float) -> datetime:
    """Return the first instant of that time of day at or after ``start``, a second of rounding allowed."""
    midnight = datetime.combine(start.date(), time(0), start.tzinfo)
    end = midnight + timedelta(seconds=seconds)
    return end if end >= start - timedelta(seconds=1) else end + _DAY


def _band(number: float, bands: Sequence[tuple[float, str]]) -> str | None:
    return next((word for bound, word in bands if number <= bound), None)
