"""From the headers of a file to its frame. Never fails: what cannot be read becomes a warning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from armillary.archive.fields import FieldRule, Fields
from armillary.archive.intake.profiles.load import Profiles
from armillary.archive.intake.profiles.lookup import Lookup, lookup_of
from armillary.archive.intake.profiles.plan import PositionRule, Question
from armillary.archive.intake.profiles.reading import Reading
from armillary.archive.intake.profiles.values import read_angle
from armillary.archive.models import QaState, qa_state
from armillary.fits.models import Value
from armillary.sky.coordinates import precess_to_j2000
from armillary.sky.nights import night_of

_LONGITUDE = FieldRule("number", -360.0, 360.0)
_MAX_WARNINGS = 50
POSITION = "position"


@dataclass(slots=True)
class Answers:
    """What a file says of the fields of its profile, and what of it was left out, by field."""

    values: dict[str, Any] = field(default_factory=dict)
    position: tuple[float, float] | None = None
    warnings: dict[str, list[str]] = field(default_factory=dict)

    def ask(self, reading: Reading, question: Question) -> None:
        """Ask for one field; fields that ask for the start of the exposure come after it."""
        name, rule, sources = question
        value = reading.first(rule, sources, self.values.get("started_at"))
        if value is None:
            self.values.pop(name, None)
        else:
            self.values[name] = value
        self._note(name, reading)

    def ask_position(self, reading: Reading) -> None:
        """Ask for the position on the sky."""
        self.position = _position(reading)
        self._note(POSITION, reading)

    def _note(self, name: str, reading: Reading) -> None:
        if reading.warnings:
            self.warnings[name], reading.warnings = reading.warnings, []
        elif self.warnings:
            self.warnings.pop(name, None)


def fields_of(
    headers: Sequence[Mapping[str, Value]], *, filename: str, profiles: Profiles, default_site: str = ""
) -> Fields:
    """Return what the headers of a file (one mapping per HDU) say, by the profile that fits them.

    A value that is malformed or not credible is left out, the next source of the profile is tried, and a
    warning names the keyword, the value and the reason. Nothing in a header makes this raise.
    """
    lookup = lookup_of(headers, filename)
    reading, answers = Reading(lookup, profiles.choose(lookup)), Answers()
    for question in reading.profile.fields:
        answers.ask(reading, question)
    answers.ask_position(reading)
    return assemble(answers, reading, profiles, default_site)


def assemble(answers: Answers, reading: Reading, profiles: Profiles, default_site: str) -> Fields:
    """Return the fields of all answers: what follows from several of them is filled in."""
    values: dict[str, Any] = dict(answers.values)
    values.setdefault("site", default_site or None)
    _complete_times(values, reading, profiles)
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


def _complete_times(values: dict[str, Any], reading: Reading, profiles: Profiles) -> None:
    """Fill in an end that only start and exposure tell, and the night."""
    start: datetime | None = values.get("started_at")
    if start is None:
        return
    try:
        if values.get("ended_at") is None and (exposure := values.get("exposure_s")) is not None:
            values["ended_at"] = start + timedelta(seconds=exposure)
        if values.get("night") is None:
            values["night"] = _night(start, values["site"], reading, profiles)
    except OverflowError:
        reading.warnings.append(f"{start.isoformat()}: a time at the edge of the calendar")


def _night(start: datetime, site: str | None, reading: Reading, profiles: Profiles) -> date:
    longitude = None
    if site not in profiles.nights:
        longitude = reading.first(_LONGITUDE, reading.profile.longitude, None)
    return night_of(start, profiles.night_rule(site, longitude))


def _position(reading: Reading) -> tuple[float, float] | None:
    for rule in reading.profile.positions:
        if all(test(reading.lookup) for test in rule.when) and (found := _coordinates(rule, reading)):
            return found
    return None


def _coordinates(rule: PositionRule, reading: Reading) -> tuple[float, float] | None:
    position = rule.position
    ra_value, dec_value = reading.defined(position.ra), reading.defined(position.dec)
    if ra_value is None or dec_value is None:
        return None
    keyword, value = position.ra, ra_value
    try:
        ra = read_angle(ra_value, rule.ra_factor, sexagesimal_factor=15.0)
        keyword, value = position.dec, dec_value
        dec = read_angle(dec_value, rule.dec_factor)
        if not (-360.0 <= ra <= 720.0 and -90.0 <= dec <= 90.0):
            raise ValueError("not on the sky")
    except ValueError as error:
        reading.warn(keyword, value, error)
        return None
    return _to_j2000(ra % 360.0, dec, position.equinox, reading)


def _to_j2000(ra: float, dec: float, equinox: str | None, reading: Reading) -> tuple[float, float]:
    """Precess a position of another equinox; positions of J2000 and ICRS agree within 0.1 arcseconds."""
    year = reading.number(equinox) if equinox else None
    system = str(reading.lookup.get("RADESYS") or "").strip().upper()
    if system == "ICRS" or year is None or not 1850.0 <= year <= 2150.0 or abs(year - 2000.0) < 0.01:
        return ra, dec
    return precess_to_j2000(ra, dec, year)
