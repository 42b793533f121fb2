"""From the headers of a file to its frame. Never fails: what cannot be read becomes a warning."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from armillary.archive.fields import FieldRule, Fields
from armillary.archive.intake.profiles.load import Profiles
from armillary.archive.intake.profiles.lookup import Lookup, lookup_of
from armillary.archive.intake.profiles.plan import Question
from armillary.archive.intake.profiles.positions import position_on_sky
from armillary.archive.intake.profiles.reading import Reading
from armillary.archive.models import QaState, qa_state
from armillary.fits.models import Value
from armillary.sky.nights import night_of

_LONGITUDE = FieldRule("number", -360.0, 360.0)
_MAX_WARNINGS = 50
POSITION = "position"


@dataclass(slots=True)
class Answers:
    """What a file says of the fields of its profile, and what of it was left out, by field."""

    values: dict[str, Any] = field(default_factory=dict)
    position: tuple[float, float] | None = None
    day: date | None = None
    """The day of the frame, where its start is not known."""
    warnings: dict[str, list[str]] = field(default_factory=dict)

    def ask(self, reading: Reading, question: Question) -> None:
        """Ask for one field; fields that ask for the start of the exposure come after it."""
        name, rule, sources = question
        value = reading.first(rule, sources, self.values.get("started_at"))
        if value is None:
            self.values.pop(name, None)
        else:
            self.values[name] = value
        if name == "started_at":
            self._note_day(reading, known=value is not None)
        self._note(name, reading)

    def _note_day(self, reading: Reading, *, known: bool) -> None:
        self.day = None if known else reading.day
        if not known and reading.undated:
            reading.warn(*reading.undated, "no time of day, so the start is not known")
        reading.day = reading.undated = None

    def ask_position(self, reading: Reading) -> None:
        """Ask for the position on the sky."""
        self.position = position_on_sky(reading)
        self._note(POSITION, reading)

    def _note(self, name: str, reading: Reading) -> None:
        if reading.warnings:
            self.warnings[name], reading.warnings = reading.warnings, []
        elif self.warnings:
            self.warnings.pop(name, None)


def fields_of(
    headers: Sequence[Mapping[str, Value]],
    *,
    filename: str,
    profiles: Profiles,
    default_site: str = "",
    raw: Sequence[bytes] = (),
) -> Fields:
    """Return what the headers of a file (one mapping per HDU) say, by the profile that fits them.

    A value that is malformed or not credible is left out, the next source of the profile is tried, and a
    warning names the keyword, the value and the reason. Nothing in a header makes this raise. ``raw`` is the
    bytes of the headers: without them, no unit that stands in a comment is known.
    """
    lookup = lookup_of(headers, filename, raw)
    reading, answers = Reading(lookup, profiles.choose(lookup)), Answers()
    for question in reading.profile.fields:
        answers.ask(reading, question)
    answers.ask_position(reading)
    return assemble(answers, reading, profiles, default_site)


def assemble(answers: Answers, reading: Reading, profiles: Profiles, default_site: str) -> Fields:
    """Return the fields of all answers: what follows from several of them is filled in."""
    values: dict[str, Any] = dict(answers.values)
    values.setdefault("site", default_site or None)
    _complete_times(values, answers.day, reading, profiles)
    order = (*(name for name, *_ in reading.profile.fields), POSITION) if answers.warnings else ()
    said = [warning for name in order for warning in answers.warnings.get(name, ())]
    if answers.position:
        values["ra_deg"], values["dec_deg"] = answers.position
    values["qa_state"] = _quality(reading.lookup, values.get("observation_type"))
    values["profile"] = reading.profile.name
    values["warnings"] = tuple(dict.fromkeys(said + reading.warnings))[:_MAX_WARNINGS]
    return values


def _quality(lookup: Lookup, observation_type: str | None) -> QaState:
    return qa_state(lookup.get("RAWGEMQA"), lookup.get("RAWPIREQ"), observation_type)


def _complete_times(values: dict[str, Any], day: date | None, reading: Reading, profiles: Profiles) -> None:
    """Fill in an end that only start and exposure tell, and the night."""
    start: datetime | None = values.get("started_at")
    if start is None:
        _complete_undated(values, day, reading, profiles)
        return
    try:
        if values.get("ended_at") is None and (exposure := values.get("exposure_s")) is not None:
            values["ended_at"] = start + timedelta(seconds=exposure)
        if values.get("night") is None:
            values["night"] = _night(start, values["site"], reading, profiles)
    except OverflowError:
        reading.warnings.append(f"{start.isoformat()}: a time at the edge of the calendar")


def _complete_undated(values: dict[str, Any], day: date | None, reading: Reading, profiles: Profiles) -> None:
    """Fill in the night of a frame whose start is not known: its day, or the night of its end."""
    end: datetime | None = values.get("ended_at")
    if end is not None and day is None:
        reading.warnings.append("the end is told, but not the start")
    if values.get("night") is not None:
        return
    if day is not None:
        values["night"] = day
    elif end is not None:
        with contextlib.suppress(OverflowError):
            values["night"] = _night(end, values["site"], reading, profiles)


def _night(start: datetime, site: str | None, reading: Reading, profiles: Profiles) -> date:
    longitude = None
    if site not in profiles.nights:
        longitude = reading.first(_LONGITUDE, reading.profile.longitude, None)
    return night_of(start, profiles.night_rule(site, longitude))
