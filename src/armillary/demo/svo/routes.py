"""The service: what every method does at every address."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode

from armillary.demo.svo.locations import Locations
from armillary.demo.svo.lookups import knows, matcher
from armillary.demo.svo.pages import ALL, LOCATIONS, RECORDS, Query, page
from armillary.demo.svo.records import Records
from armillary.demo.svo.replies import Refused, Reply, bad, broken, not_allowed, not_found, unauthorized
from armillary.demo.svo.selecting import OF_LOCATIONS, Selecting
from armillary.demo.svo.tags import Tags
from armillary.demo.svo.uris import Uris
from armillary.demo.svo.world import TEXT, Dataset, Keyword, Location, User, World

LARGEST = 2_621_440
SCHEMA = "schema"


@dataclass(frozen=True)
class Request:
    """A request as it came."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def asked(self) -> Query:
        """The query by name; of a name that comes twice the last one counts."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def header(self, name: str) -> str:
        """Return a header, empty if it was not sent."""
        return self.headers.get(name.lower(), "")


class Service:
    """All resources below the prefix."""

    def __init__(self, world: World, prefix: str) -> None:
        self.world, self.uris = world, Uris(world, prefix)
        self._locations, self._tags = Locations(world, self.uris), Tags(world, self.uris)
        self._records = Records(world, self.uris, self._locations, self._tags)

    def answer(self, request: Request, *, breaking: bool = False) -> Reply:
        """Return the answer to a request; ``breaking`` lets the making of a record fail half-way."""
        if not request.path.endswith("/"):
            target = f"{request.path}/" + (f"?{request.query}" if request.query else "")
            return Reply(HTTPStatus.MOVED_PERMANENTLY, headers={"Location": target})
        kept = [(name, said) for name, said in request.asked.items() if name not in self.world.ignores]
        request = replace(request, query=urlencode(kept))
        with self.world.lock:
            try:
                return self._routed(request, breaking=breaking)
            except Refused as refusal:
                return refusal.reply

    def _routed(self, request: Request, *, breaking: bool) -> Reply:
        match self.uris.parts(request.path):
            case ["dataset", *rest]:
                return self._datasets(request, rest)
            case ["keyword"]:
                return self._keywords(request)
            case ["data_location", *rest]:
                return self._places(request, rest)
            case ["tag", *rest]:
                return self._tagging(request, rest)
            case ["user"]:
                return self._user(request)
            case [resource, *rest]:
                dataset = next((d for d in self.world.datasets.values() if d.resource == resource), None)
                if dataset is not None and dataset.published:
                    return self._metadata(request, dataset, rest, breaking=breaking)
        raise not_found()

    def _metadata(self, request: Request, dataset: Dataset, rest: list[str], *, breaking: bool) -> Reply:
        match (request.method, rest):
            case ("GET", []):
                found = Selecting(self.world, dataset).select(request.asked)
                full = self.world.full_lists
                return page(
                    self.world,
                    request.path,
                    request.asked,
                    found,
                    RECORDS,
                    lambda one: self._records.shown(dataset, one, full=full),
                )
            case ("POST", []):
                user, body = self._writing(request)
                record = self._records.create(user, dataset, body, breaking=breaking)
                where = {"Location": self.uris.of(dataset.resource, record.oid)}
                return Reply(HTTPStatus.CREATED, self._records.echo(dataset, record, body), where)
            case ("GET", ["schema"]):
                return Reply(body={"fields": {one.name: {"type": one.type} for one in dataset.keywords}})
            case ("GET", [oid]):
                return Reply(body=self._records.shown(dataset, self._records.find(dataset, oid)))
            case ("PATCH", [oid]) if oid != SCHEMA:
                user, body = self._writing(request)
                record = self._records.change(user, dataset, oid, body)
                return Reply(HTTPStatus.ACCEPTED, self._records.shown(dataset, record))
            case ("DELETE", [oid]) if oid != SCHEMA:
                self._records.delete(self._known(request), dataset, oid)
                return Reply(HTTPStatus.NO_CONTENT)
        raise not_allowed()

    def _datasets(self, request: Request, rest: list[str]) -> Reply:
        if request.method != "GET":
            raise not_allowed()
        if not rest:
            every = list(self.world.datasets.values())
            return page(self.world, request.path, request.asked, every, ALL, self._dataset_shown)
        if len(rest) > 1 or rest[0] not in self.world.datasets:
            raise not_found()
        return Reply(body=self._dataset_shown(self.world.datasets[rest[0]]))

    def _dataset_shown(self, one: Dataset) -> dict[str, Any]:
        count = len(self.world.records[one.name])
        listed = {"resource_uri": self.uris.of(one.resource), "count": count}
        return {
            "characteristics": [],
            "instrument": {"name": one.instrument},
            "metadata": listed if one.published else None,
            "name": one.name,
            "resource_uri": self.uris.dataset(one.name),
            "telescope": {"name": one.telescope},
        }

    def _keywords(self, request: Request) -> Reply:
        if request.method != "GET":
            raise not_allowed()
        name = request.asked.get("dataset__name")
        every = [
            (dataset, number, keyword)
            for dataset in self.world.datasets.values()
            for number, keyword in enumerate(dataset.keywords, 1)
            if name in (None, dataset.name)
        ]

        def shown(row: tuple[Dataset, int, Keyword]) -> dict[str, Any]:
            dataset, number, one = row
            return {
                **vars(one),
                "dataset": self.uris.dataset(dataset.name),
                "id": number,
                "resource_uri": self.uris.of("keyword", str(number)),
            }

        return page(self.world, request.path, request.asked, every, ALL, shown)

    def _places(self, request: Request, rest: list[str]) -> Reply:
        match (request.method, rest):
            case ("GET", []):
                tests = _tests(request.asked)
                found = [one for one in self.world.locations.values() if all(test(one) for test in tests)]
                return page(self.world, request.path, request.asked, found, LOCATIONS, self._locations.shown)
            case ("POST", []):
                user, body = self._writing(request)
                made = self._locations.create(user, body)
                where = {"Location": self.uris.location(made.id)}
                return Reply(HTTPStatus.CREATED, self._locations.shown(made), where)
            case ("GET", [number]):
                return Reply(body=self._locations.shown(self._place(number)))
            case ("PATCH", [number]):
                user, body = self._writing(request)
                self._locations.change(user, self._place(number), body)
                return Reply(HTTPStatus.ACCEPTED, self._locations.shown(self._place(number)))
            case ("DELETE", [number]):
                self._locations.delete(self._known(request), self._place(number))
                return Reply(HTTPStatus.NO_CONTENT)
        raise not_allowed()

    def _place(self, number: str) -> Location:
        found = self.world.locations.get(int(number)) if number.isascii() and number.isdecimal() else None
        if found is None:
            raise not_found()
        return found

    def _tagging(self, request: Request, rest: list[str]) -> Reply:
        match (request.method, rest):
            case ("GET", []):
                chosen = self._tags.shown(self._tags_in_use(request.asked.get("dataset")))
                return page(self.world, request.path, request.asked, chosen, ALL, lambda one: one)
            case ("GET", [number]) if number.isdecimal() and int(number) in self.world.tags:
                return Reply(body=self._tags.shown([int(number)])[0])
            case ("POST", []):
                user, body = self._writing(request)
                made = self._tags.create(user, body)
                return Reply(
                    HTTPStatus.CREATED, self._tags.shown([made])[0], {"Location": self.uris.tag(made)}
                )
            case ("GET", _):
                raise not_found()
        raise not_allowed()

    def _tags_in_use(self, dataset: str | None) -> list[int]:
        if dataset is None:
            return list(self.world.tags)
        records = self.world.records.get(dataset, {}).values()
        return sorted({tag for one in records for tag in one.tags})

    def _user(self, request: Request) -> Reply:
        """Tell the key to whoever shows name and password."""
        kind, _, shown = request.header("authorization").partition(" ")
        if request.method != "GET":
            raise not_allowed()
        try:
            name, _, password = base64.b64decode(shown, validate=True).decode().partition(":")
        except ValueError:
            raise unauthorized() from None
        user = self.world.users.get(name)
        if kind.lower() != "basic" or user is None or user.password != password:
            raise unauthorized()
        return Reply(body={"username": user.name, "api_key": user.key})

    def _known(self, request: Request) -> User:
        """Return who writes; there is one answer to whoever may not."""
        kind, _, shown = request.header("authorization").partition(" ")
        name, _, key = shown.partition(":")
        if kind.lower() != "apikey":
            name, key = request.asked.get("username", ""), request.asked.get("api_key", "")
        user = self.world.users.get(name)
        if user is None or not key or user.key != key:
            raise unauthorized()
        return user

    def _writing(self, request: Request) -> tuple[User, dict[str, Any]]:
        user = self._known(request)
        if request.header("content-type").partition(";")[0].strip() != "application/json":
            unsupported = {"error_message": "The format is not supported; send application/json."}
            raise Refused(Reply(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, unsupported))
        if len(request.body) > LARGEST:
            raise broken("Request body exceeded settings.DATA_UPLOAD_MAX_MEMORY_SIZE.")
        try:
            body = json.loads(request.body, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise bad("Request is not valid JSON.") from None
        if not isinstance(body, dict):
            raise bad("Request is no object.")
        return user, body


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _tests(query: Query) -> list[Callable[[Location], bool]]:
    """Return the filters of a list of locations; those that nobody knows say nothing."""
    found = (
        [_test("dataset", matcher(TEXT, "exact", query["dataset__name"]))] if "dataset__name" in query else []
    )
    for name, said in query.items():
        field, _, lookup = name.partition("__")
        kind, lookup = OF_LOCATIONS.get(field), lookup or "exact"
        if kind and knows(kind, lookup):
            found.append(_test(field, matcher(kind, lookup, said)))
    return found


def _test(field: str, fits: Callable[[Any], bool]) -> Callable[[Location], bool]:
    return lambda one: fits(getattr(one, field))
