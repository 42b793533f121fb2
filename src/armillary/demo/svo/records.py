"""Records of datasets: made, changed and deleted as a whole or not at all, and how they read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from armillary.demo.svo.locations import NAME as LOCATION
from armillary.demo.svo.locations import Locations
from armillary.demo.svo.replies import bad, bad_field, broken, not_found, unauthorized
from armillary.demo.svo.tags import Tags
from armillary.demo.svo.uris import Uris
from armillary.demo.svo.values import Unacceptable, accepted, shown, text, unset
from armillary.demo.svo.world import TIME, Dataset, Record, User, World

HEADER, TAGS = "fits_header", "tags"


class Records:
    """What can be done to records."""

    def __init__(self, world: World, uris: Uris, locations: Locations, tags: Tags) -> None:
        self._world, self._uris = world, uris
        self._locations, self._tags = locations, tags

    def find(self, dataset: Dataset, oid: str) -> Record:
        """Return a record."""
        found = self._world.records[dataset.name].get(oid)
        if found is None:
            raise not_found()
        return found

    def create(
        self, user: User, dataset: Dataset, body: Mapping[str, Any], *, breaking: bool = False
    ) -> Record:
        """Make a record; with ``breaking`` the server fails when its location is stored and it is not."""
        _permit(user)
        oid = self._new_oid(dataset, body)
        values = _values(dataset, body)
        self._tags.check(user, body.get(TAGS))
        location = self._locations.settle(user, body.get(LOCATION))
        if breaking:
            raise broken("The server failed while the record was made.")
        record = Record(oid, values, text(body.get(HEADER)), location, self._tags.settle(body.get(TAGS)))
        self._world.records[dataset.name][oid] = record
        return record

    def change(self, user: User, dataset: Dataset, oid: str, body: Mapping[str, Any]) -> Record:
        """Change the fields of a record that a body names; null clears one."""
        record = self.find(dataset, oid)
        _permit(user)
        if record.tags and not user.tags:
            raise unauthorized()
        if "oid" in body:
            raise bad_field(dataset.resource, "oid", "The oid of a record cannot be changed.")
        values = _values(dataset, body)
        self._tags.check(user, body.get(TAGS))
        if LOCATION in body:
            record.location = self._locations.settle(user, body[LOCATION])
        record.values |= values
        if HEADER in body:
            record.fits_header = text(body[HEADER])
        if TAGS in body:
            record.tags = self._tags.settle(body[TAGS])
        return record

    def delete(self, user: User, dataset: Dataset, oid: str) -> None:
        """Delete a record; its location stays."""
        self.find(dataset, oid)
        _permit(user)
        del self._world.records[dataset.name][oid]

    def shown(self, dataset: Dataset, record: Record, *, full: bool = True) -> dict[str, Any]:
        """Return a record as it reads."""
        told: dict[str, Any] = {
            one.name: shown(record.values.get(one.name, unset(one.type))) for one in dataset.keywords
        }
        place = self._world.locations.get(record.location or 0)
        told[LOCATION] = place and (self._locations.shown(place) if full else self._uris.location(place.id))
        told |= {"oid": record.oid, HEADER: record.fits_header, TAGS: self._tags.shown(record.tags)}
        told["resource_uri"] = self._uris.of(dataset.resource, record.oid)
        return told

    def echo(self, dataset: Dataset, record: Record, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return a record as its making answers: what is no field comes back, too, and times as they were sent."""
        told = self.shown(dataset, record)
        sent = {
            one.name: body[one.name] for one in dataset.keywords if one.type == TIME and body.get(one.name)
        }
        return {**body, **told, **sent}

    def _new_oid(self, dataset: Dataset, body: Mapping[str, Any]) -> str:
        oid = body.get("oid")
        if not isinstance(oid, str) or not oid.strip():
            raise bad_field(dataset.resource, "oid", "This field is required.")
        if oid.strip() in self._world.records[dataset.name]:
            raise bad_field(dataset.resource, "oid", "Metadata with this Oid already exists.")
        return oid.strip()


def _permit(user: User) -> None:
    if not user.records:
        raise unauthorized()


def _values(dataset: Dataset, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of keywords that a body gives; what is no keyword is left out."""
    values = {}
    for keyword in dataset.keywords:
        if keyword.name in body:
            try:
                values[keyword.name] = accepted(keyword, body[keyword.name])
            except Unacceptable as error:
                raise bad_field(dataset.resource, keyword.name, str(error)) from None
    if not isinstance(body.get(HEADER), str | None):
        raise bad_field(dataset.resource, HEADER, "Enter a valid text.")
    if not isinstance(body.get(TAGS), list | None):
        raise bad("tags is no list")
    return values
