"""Locations of files: what may stand in them, what is unique, and the four forms that a record gives one in."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from armillary.demo.svo.replies import bad, bad_field, unauthorized
from armillary.demo.svo.uris import Uris
from armillary.demo.svo.world import Location, User, World

NAME = "data_location"
FIELDS = ("file_url", "file_size", "file_path", "thumbnail_url", "offline")
LONGEST_URL = 2000
_FORBIDDEN = re.compile(r"[\\:*?\"'<>|\r\n\0]")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[1-9]|lpt[1-9])(\..*)?", re.IGNORECASE)


class Locations:
    """What can be done to locations."""

    def __init__(self, world: World, uris: Uris) -> None:
        self._world, self._uris = world, uris

    def create(self, user: User, body: Mapping[str, Any]) -> Location:
        """Make a location from an object that names its dataset."""
        if "dataset" not in body:
            raise bad_field(NAME, "dataset", "This field is required.")
        dataset = self._uris.dataset_of(body["dataset"])
        for name in ("file_url", "file_size", "file_path"):
            if name not in body:
                raise bad_field(NAME, name, "This field is required.")
        self._permit(user, dataset)
        values = {name: _checked(name, body[name]) for name in FIELDS if name in body}
        self._check_unique(dataset, values, None)
        return self._world.add_location(dataset, **values)

    def change(self, user: User, location: Location, body: Mapping[str, Any]) -> None:
        """Change some fields of a location; every record that shares it changes."""
        self._permit(user, location.dataset)
        values = {name: _checked(name, body[name]) for name in FIELDS if name in body}
        self._check_unique(location.dataset, values, location.id)
        changed = dataclasses.replace(location, **values, update_time=self._world.now())
        self._world.locations[location.id] = changed

    def delete(self, user: User, location: Location) -> None:
        """Delete a location; the links of records to it become null."""
        self._permit(user, location.dataset)
        for record in self._world.users_of(location.id):
            record.location = None
        del self._world.locations[location.id]

    def settle(self, user: User, said: Any) -> int | None:
        """Return the location that a record gives: by URI, by an object with or without one, or none."""
        if said is None:
            return None
        if isinstance(said, str):
            return self._uris.location_of(said).id
        if not isinstance(said, dict):
            raise bad("data_location is neither a URI nor an object")
        if "resource_uri" not in said:
            return self.create(user, said).id
        location = self._uris.location_of(said["resource_uri"])
        self.change(user, location, said)
        return location.id

    def shown(self, location: Location) -> dict[str, Any]:
        """Return a location as it reads; its size is text."""
        return {
            "dataset": self._uris.dataset(location.dataset),
            "file_path": location.file_path,
            "file_size": str(location.file_size),
            "file_url": location.file_url,
            "id": location.id,
            "offline": location.offline,
            "resource_uri": self._uris.location(location.id),
            "thumbnail_url": location.thumbnail_url,
            "update_time": f"{location.update_time.replace(tzinfo=None).isoformat()[:23]}Z",
        }

    def _permit(self, user: User, dataset: str) -> None:
        if not user.locations or self._world.datasets[dataset].group not in user.groups:
            raise unauthorized()

    def _check_unique(self, dataset: str, values: Mapping[str, Any], own: int | None) -> None:
        for other in self._world.locations.values():
            if other.dataset != dataset or other.id == own:
                continue
            for name in ("file_url", "file_path"):
                if name in values and getattr(other, name) == values[name]:
                    said = f"Data location with this Dataset and {name} already exists."
                    raise bad_field(NAME, "__all__", said)


def _checked(name: str, value: Any) -> Any:
    refusal = _RULES[name](value)
    if refusal:
        raise bad_field(NAME, name, refusal)
    return int(value) if name == "file_size" else value


def _url(value: Any) -> str | None:
    if not isinstance(value, str) or len(value) > LONGEST_URL:
        return f"Ensure this value is a text of at most {LONGEST_URL} characters."
    try:
        split = urlsplit(value)
        host = split.hostname or ""
    except ValueError:
        return "Enter a valid URL."
    known = split.scheme in ("http", "https", "ftp") and not re.search(r"\s", value)
    return None if known and ("." in host.strip(".") or host == "localhost") else "Enter a valid URL."


def _path(value: Any) -> str | None:
    if not isinstance(value, str) or not value or value.startswith("/") or value.endswith("/"):
        return "Enter a relative path without a slash at its end."
    if _FORBIDDEN.search(value) or any(_RESERVED.fullmatch(part) for part in value.split("/")):
        return "Enter a path without characters and names that some systems refuse."
    return None


def _size(value: Any) -> str | None:
    fits = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    fits = fits or (isinstance(value, str) and value.isascii() and value.isdecimal())
    return None if fits else "Ensure this value is greater than or equal to 0."


def _offline(value: Any) -> str | None:
    return None if isinstance(value, bool) else "Enter true or false."


_RULES: Mapping[str, Callable[[Any], str | None]] = {
    "file_url": _url,
    "file_path": _path,
    "file_size": _size,
    "offline": _offline,
    "thumbnail_url": lambda value: None if value is None else _url(value),
}
