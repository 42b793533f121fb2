"""The form of a profile file; whatever is not named here is refused."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from armillary.archive.fields import SOURCED
from armillary.archive.intake.profiles.units import UNITS

Scalar = bool | int | float | str


def _regex(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return text


def _unit(text: str) -> str:
    if text not in UNITS:
        raise ValueError(f"unknown unit {text!r}; known are {', '.join(sorted(UNITS))}")
    return text


Regex = Annotated[str, AfterValidator(_regex)]
Unit = Annotated[str, AfterValidator(_unit)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Condition(_Strict):
    """What the value of one keyword must be; text is compared without regard to case."""

    equals: Scalar | None = None
    any_of: tuple[Scalar, ...] = Field((), alias="in")
    regex: Regex | None = None
    present: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, given: object) -> object:
        return {"equals": given} if isinstance(given, str | int | float) else given


Conditions = dict[str, Condition]


class Source(_Strict):
    """One place where a value may be found, and how to read it."""

    keyword: str | None = Field(None, description="Where the value is; `@filename` is the name of the file.")
    keywords: tuple[str, ...] = Field((), description="Several places, joined to one text.")
    join: str = Field("&", description="What joins several values.")
    value: Scalar | None = Field(None, description="A constant; with `keyword`: if that is present.")
    when: Conditions = Field({}, description="Use this source only if all of these hold.")
    primary: bool = Field(False, description="Look at the primary header only.")
    time: tuple[str, ...] = Field(
        (), description="Keywords of the time of day if the value is a mere date; the first that can be read."
    )
    scale: Literal["UTC", "TAI", "TT", "GPS"] | None = Field(
        None, description="Time scale of the value in headers without TIMESYS."
    )
    read: Literal["mjd", "time_of_day", "public_from", "matches", "zenith_distance"] | None = Field(
        None, description="A form that the field does not take by itself."
    )
    unit: Unit | None = Field(None, description="Unit of a number, if not that of the field.")
    stated: bool = Field(False, description="Whether a unit in the comment of the card counts before `unit`.")
    unit_keyword: str | None = Field(None, description="Keyword whose value is the unit, before all others.")
    said: Regex | None = Field(None, description="Only if the comment of the card matches; it may be empty.")
    doubt: str | None = Field(
        None,
        description="Why the value is not taken: what is left of the source is a warning with this reason.",
    )
    times: str | None = Field(None, description="Keyword of a factor; absent counts as one.")
    minus: str | None = Field(None, description="Keyword of a number to subtract; absent, there is no value.")
    plus_days: int = Field(0, description="Days added to a date.")
    pattern: Regex | None = Field(
        None, description="Only if the text matches; its group 1 becomes the value."
    )
    drop: Regex | None = Field(None, description="Values that count as absent.")
    strip: Regex | None = Field(None, description="Text removed from a value.")
    append: str = Field("", description="Text put behind a value, after all that is above.")
    map: dict[str, Scalar] = Field({}, description="Words to values, in any case; other words are skipped.")
    keep_unmapped: bool = Field(False, description="Keep words that `map` does not have.")
    bands: tuple[tuple[float, str], ...] = Field((), description="Rising upper bounds and their words.")

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, given: object) -> object:
        return {"keyword": given} if isinstance(given, str) else _as_lists(given, "time")

    @model_validator(mode="after")
    def _somewhere(self) -> Source:
        if self.keyword is None and not self.keywords and self.value is None:
            raise ValueError("a source needs `keyword`, `keywords` or `value`")
        if self.read == "matches" and self.pattern is None:
            raise ValueError('`read = "matches"` needs a `pattern`')
        return self


def _as_lists(given: object, *options: str) -> object:
    """Let one word stand for a list of one in some options of a table."""
    if not isinstance(given, dict):
        return given
    return given | {one: (given[one],) for one in options if isinstance(given.get(one), str)}


class Position(_Strict):
    """Where right ascension and declination stand together."""

    ra: str = ""
    dec: str = ""
    world: bool = Field(
        False, description="Whether they are the reference values of world coordinates, on whichever axes."
    )
    ra_unit: Unit = Field("deg", description="Unit of a number if its comment states none; text is hours.")
    dec_unit: Unit = "deg"
    equinox: tuple[str, ...] = Field(
        (), description="Keywords of the equinox, a year; absent or 0 is J2000, or B1950 in the system FK4."
    )
    when: Conditions = {}

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, given: object) -> object:
        return _as_lists(given, "equinox")

    @model_validator(mode="after")
    def _either(self) -> Position:
        if self.world is bool(self.ra and self.dec):
            raise ValueError("a position needs either `ra` and `dec`, or `world`")
        return self


class ProfileFile(_Strict):
    """One TOML file: how the headers of an instrument or an observatory become a frame."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    extends: str | None = Field(None, description="Profile whose fields apply where this one has none.")
    priority: int = Field(0, description="Of several profiles that match, the highest wins.")
    match: tuple[Conditions, ...] = Field((), description="Any of these; within one, all conditions hold.")
    missing: tuple[str, ...] = Field((), description="Words that mean nothing, besides the inherited ones.")
    time_scale: Literal["UTC", "TAI", "TT", "GPS"] | None = Field(
        None, description="Scale of times in headers without TIMESYS."
    )
    positions: tuple[Position, ...] | None = None
    longitude: tuple[Source, ...] | None = Field(None, description="East longitude, if the site is unknown.")
    fields: dict[str, tuple[Source, ...]] = {}

    @model_validator(mode="after")
    def _known_fields(self) -> ProfileFile:
        if unknown := set(self.fields) - set(SOURCED):
            raise ValueError(f"unknown field {sorted(unknown)[0]!r}; known are {', '.join(sorted(SOURCED))}")
        return self


class SiteFile(_Strict):
    """One place: its nights follow its longitude unless it has a habit of its own."""

    longitude_deg: float = Field(ge=-180, le=360)
    latitude_deg: float = Field(ge=-90, le=90)
    height_m: float = 0.0
    title: str = ""
    night: Literal["local_noon", "civil_noon", "utc_day", "evening_18_utc", "noon_utc"] = "local_noon"
    zone: str | None = None
