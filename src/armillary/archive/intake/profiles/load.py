"""Reading profiles: the packaged ones, and those of a site beside them."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfoNotFoundError

from pydantic import BaseModel, ValidationError

from armillary.archive.intake.profiles.document import Condition, Position, ProfileFile, SiteFile, Source
from armillary.archive.intake.profiles.lookup import Lookup
from armillary.archive.intake.profiles.plan import Profile, compile_profile
from armillary.errors import ArmillaryError
from armillary.sky.nights import EVENING_18_UTC, NOON_UTC, UTC_DAY, NightRule, civil_noon, local_noon

_SITES = "sites.toml"

Model = TypeVar("Model", bound=BaseModel)


class BadProfile(ArmillaryError):
    """Invalid instrument profile."""

    code, status = "bad_profile", HTTPStatus.INTERNAL_SERVER_ERROR


@dataclass(frozen=True, slots=True)
class Profiles:
    """All profiles of an archive, best first, and the sites they may name."""

    ordered: tuple[Profile, ...]
    sites: Mapping[str, SiteFile]
    nights: Mapping[str, NightRule]
    digest: str = ""
    """Of all their texts: with another one, headers are read otherwise."""

    def choose(self, lookup: Lookup) -> Profile:
        """Return the first profile whose rules match; the generic one, the last of all, matches everything."""
        for profile in self.ordered:
            if profile.matches(lookup):
                return profile
        raise LookupError("no profile matches everything")

    def night_rule(self, site: str | None, longitude_deg: float | None) -> NightRule:
        """Return how nights are named at a site, by longitude if it is unknown, noon UTC if that is too."""
        if site and (rule := self.nights.get(site)):
            return rule
        return NOON_UTC if longitude_deg is None else local_noon(longitude_deg)

    def __getitem__(self, name: str) -> Profile:
        return {profile.name: profile for profile in self.ordered}[name]


def load_profiles(directory: Path | None = None) -> Profiles:
    """Read the packaged profiles, then those in ``directory``, which win over packaged ones of their name.

    Raises
    ------
    BadProfile
        If a file is not TOML or does not have the form of a profile; the message names the file and place.
    """
    texts = dict(_packaged())
    if directory is not None:
        try:
            texts |= {path.name: path.read_text("utf-8") for path in sorted(directory.glob("*.toml"))}
        except (OSError, UnicodeDecodeError) as error:
            raise BadProfile(f"{directory}: {error}") from error
    documents = {name: _toml(name, text) for name, text in texts.items()}
    sites = dict(_sites(_packaged()[_SITES])) | dict(_sites(texts[_SITES]))
    files = [_validated(ProfileFile, name, d) for name, d in documents.items() if name != _SITES]
    by_name = {file.name: file for file in files}
    compiled = [compile_profile(_inherited(file, by_name)) for file in by_name.values()]
    order = sorted(compiled, key=lambda profile: (-profile.priority, -profile.strictness, profile.name))
    nights = {name: _night_rule(name, site) for name, site in sites.items()}
    digest = blake2b(repr(sorted(texts.items())).encode(), digest_size=12).hexdigest()
    return Profiles(tuple(order), sites, nights, digest)


def packaged_files() -> tuple[ProfileFile, ...]:
    """Return the packaged profiles as they are written, what others extend first, by name."""
    texts = {name: text for name, text in _packaged().items() if name != _SITES}
    files = {
        file.name: file
        for file in (_validated(ProfileFile, name, _toml(name, texts[name])) for name in sorted(texts))
    }

    def lineage(file: ProfileFile) -> tuple[str, ...]:
        return (*(lineage(files[file.extends]) if file.extends else ()), file.name)

    return tuple(sorted(files.values(), key=lineage))


@cache
def _packaged() -> Mapping[str, str]:
    folder = resources.files("armillary.archive.intake.profiles") / "data"
    return {file.name: file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".toml")}


def _toml(name: str, text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadProfile(f"{name}: {error}") from error


def _sites(text: str) -> dict[str, SiteFile]:
    return {
        name: _validated(SiteFile, f"{_SITES}: {name}", site) for name, site in _toml(_SITES, text).items()
    }


def _validated(model: type[Model], name: str, document: object) -> Model:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            reason = f"unknown option{_nearest(str(first['loc'][-1]), model)}"
        raise BadProfile(f"{name}: {place + ': ' if place else ''}{reason}") from error


def _nearest(word: str, model: type[BaseModel]) -> str:
    options = {name for m in (model, Source, Position, Condition) for name in m.model_fields} | {"in"}
    near = difflib.get_close_matches(word, options, 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _inherited(file: ProfileFile, others: Mapping[str, ProfileFile]) -> ProfileFile:
    chain = [file]
    while (parent := chain[-1].extends) is not None:
        if parent not in others:
            raise BadProfile(f"{file.name}: extends {parent!r}, which is not here{_close(parent, others)}")
        if others[parent] in chain:
            raise BadProfile(f"{file.name}: extends itself through {parent!r}")
        chain.append(others[parent])
    up = chain[::-1]
    fields = {name: sources for level in up for name, sources in level.fields.items()}
    return file.model_copy(
        update={
            "fields": fields,
            "missing": tuple(word for level in up for word in level.missing),
            **{key: _last(up, key) for key in ("time_scale", "positions", "longitude")},
        }
    )


def _last(levels: list[ProfileFile], attribute: str) -> object:
    given = [getattr(level, attribute) for level in levels]
    return next((value for value in reversed(given) if value is not None), None)


def _close(word: str, words: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(word, words, 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _night_rule(name: str, site: SiteFile) -> NightRule:
    match site.night:
        case "utc_day":
            return UTC_DAY
        case "evening_18_utc":
            return EVENING_18_UTC
        case "noon_utc":
            return NOON_UTC
        case "civil_noon":
            try:
                return civil_noon(site.zone or "")
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise BadProfile(f"{_SITES}: {name}.zone: {site.zone!r} is not a time zone here") from error
    return local_noon(site.longitude_deg)


@lru_cache(maxsize=4)
def profiles_of(directory: Path | None) -> Profiles:
    """Return the instrument profiles, read once per process."""
    return load_profiles(directory)
