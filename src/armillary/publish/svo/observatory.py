"""The virtual observatory as its clients see it: datasets, records, locations.

Filters that the server does not know are ignored, expressions that it cannot read find everything, and totals are
a day old: so lists are read page by page while pages are full, and what comes back is filtered again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from armillary.publish.svo.comparing import read
from armillary.publish.svo.errors import SvoAway, UnknownDataset, UnusableSvoReply
from armillary.publish.svo.models import (
    HEADER,
    LOCATION,
    TAGS,
    Dataset,
    Json,
    Keyword,
    KeywordType,
    Place,
    Stored,
    StoredPlace,
)
from armillary.publish.svo.replies import checked
from armillary.publish.svo.transport import Answer, Transport

PAGE = 100
LOCATIONS = "data_location/"
_TYPES = {str(one): one for one in KeywordType}


class Observatory:
    """What can be asked of it, and done there."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @property
    def writes(self) -> int:
        """How many requests have changed something there."""
        return self._transport.writes

    async def dataset(self, name: str) -> Dataset:
        """Return a dataset with its keywords.

        Raises
        ------
        UnknownDataset
            If there is none of that name, or it takes no records.
        """
        answer = await self._transport.read(f"dataset/{_quoted(name)}/")
        if answer.status == HTTPStatus.NOT_FOUND:
            raise UnknownDataset(f"The virtual observatory has no dataset '{name}'; check svo.datasets.")
        told = _object(answer)
        listed, uri = told.get("metadata"), told.get("resource_uri")
        if not isinstance(listed, dict) or not isinstance(listed.get("resource_uri"), str):
            raise UnknownDataset(f"The dataset '{name}' of the virtual observatory takes no records.")
        if not isinstance(uri, str):
            raise UnusableSvoReply(f"The virtual observatory does not tell the address of '{name}'.")
        records = f"{listed['resource_uri'].rstrip('/')}/"
        return Dataset(name, uri, records, await self._keywords(name, uri))

    async def _keywords(self, name: str, uri: str) -> tuple[Keyword, ...]:
        found = [
            Keyword(str(one.get("name")), str(one.get("verbose_name")), _TYPES[one["type"]])
            async for one in self._rows("keyword/", {"dataset__name": name}, limit=0)
            if _same(one.get("dataset"), uri) and one.get("type") in _TYPES
        ]
        if not found:
            raise UnusableSvoReply(f"The virtual observatory tells no keywords of the dataset '{name}'.")
        return tuple(found)

    async def records(self, dataset: Dataset) -> AsyncIterator[Stored]:
        """Yield all records of a dataset, by oid."""
        async for one in self._rows(dataset.records, {"order_by": "oid"}, limit=PAGE):
            yield await self._stored(dataset, one)

    async def record(self, dataset: Dataset, oid: str) -> Stored | None:
        """Return a record, None if there is none."""
        answer = await self._transport.read(f"{dataset.records}{_quoted(oid)}/")
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        return await self._stored(dataset, _object(answer))

    async def create(self, dataset: Dataset, body: Mapping[str, Json]) -> None:
        """Make a record."""
        checked(await self._transport.write("POST", dataset.records, body), HTTPStatus.CREATED)

    async def change(self, dataset: Dataset, oid: str, body: Mapping[str, Json]) -> bool:
        """Change fields of a record; False if there is none."""
        answer = await self._transport.write("PATCH", f"{dataset.records}{_quoted(oid)}/", body)
        return _is_there(answer, HTTPStatus.ACCEPTED)

    async def delete(self, dataset: Dataset, oid: str) -> bool:
        """Delete a record, whose location stays; False if there was none."""
        answer = await self._transport.write("DELETE", f"{dataset.records}{_quoted(oid)}/")
        return _is_there(answer, HTTPStatus.NO_CONTENT)

    async def locations(self, dataset: Dataset, **wanted: str) -> list[StoredPlace]:
        """Return the locations of a dataset of which something is so: ``file_url`` or ``file_path``."""
        query = {"dataset__name": dataset.name, **wanted}
        rows = [one async for one in self._rows(LOCATIONS, query, limit=1000)]
        found = [_place(one) for one in rows]
        return [
            one
            for one in found
            if _same(one.dataset, dataset.uri)
            and all(getattr(one.place, name) == value for name, value in wanted.items())
        ]

    async def change_location(self, uri: str, body: Mapping[str, Json]) -> bool:
        """Change fields of a location, for every record that shares it; False if there is none."""
        return _is_there(await self._transport.write("PATCH", uri, body), HTTPStatus.ACCEPTED)

    async def delete_location(self, uri: str) -> bool:
        """Delete a location; False if there was none."""
        return _is_there(await self._transport.write("DELETE", uri), HTTPStatus.NO_CONTENT)

    async def users_of(self, datasets: Sequence[Dataset], uri: str) -> set[tuple[str, str]] | None:
        """Return up to two records of each dataset that use a location, by dataset and oid.

        None means that the server did not understand the question: then nobody knows.
        """
        number = uri.rstrip("/").rpartition("/")[2]
        found: set[tuple[str, str]] = set()
        for one in datasets:
            answer = await self._transport.read(
                one.records, {"search": f"data_location__id={number}", "limit": "2"}
            )
            if answer.status == HTTPStatus.BAD_REQUEST:
                return None
            for row in _objects(_object(answer)):
                if not _same(_uri_of(row.get(LOCATION)), uri):
                    return None
                found.add((one.name, str(row.get("oid"))))
        return found

    async def _rows(
        self, address: str, query: Mapping[str, str], *, limit: int
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the rows of a list: the next page is asked for while a page is full, whatever totals say."""
        offset = 0
        while True:
            paged = {**query, "limit": str(limit), "offset": str(offset)}
            told = _object(await self._transport.read(address, paged))
            rows, meta = _objects(told), _meta(told)
            if meta.get("offset", offset) != offset:
                raise UnusableSvoReply("The virtual observatory gives another page than the one asked for.")
            for row in rows:
                yield row
            most = meta.get("limit")
            if not isinstance(most, int) or most <= 0 or len(rows) < most:
                return
            offset += len(rows)

    async def _stored(self, dataset: Dataset, body: dict[str, Any]) -> Stored:
        oid, header, tags = body.get("oid"), body.get(HEADER) or "", body.get(TAGS) or []
        if not isinstance(oid, str) or not isinstance(header, str) or not isinstance(tags, list):
            raise UnusableSvoReply(f"A record of the dataset '{dataset.name}' is none that can be read.")
        names = frozenset(str(one.get("name")) if isinstance(one, dict) else str(one) for one in tags)
        location = await self._location_of(body.get(LOCATION))
        return Stored(oid, read(dataset.keywords, body), header.strip(), location, names)

    async def _location_of(self, said: Any) -> StoredPlace | None:
        """Return the location of a record; lists may tell its address alone."""
        if not isinstance(said, str):
            return _place(said) if isinstance(said, dict) else None
        answer = await self._transport.read(said)
        return None if answer.status == HTTPStatus.NOT_FOUND else _place(_object(answer))


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _same(one: object, other: str) -> bool:
    """Tell whether two addresses are one: paths or whole URLs, however they are encoded."""
    return isinstance(one, str) and unquote(urlsplit(one).path).rstrip("/") == unquote(
        urlsplit(other).path
    ).rstrip("/")


def _uri_of(said: object) -> object:
    return said.get("resource_uri") if isinstance(said, dict) else said


def _place(row: dict[str, Any]) -> StoredPlace:
    try:
        place = Place(
            str(row["file_url"]),
            int(row["file_size"]),
            str(row["file_path"]),
            row.get("thumbnail_url") or None,
            bool(row.get("offline")),
        )
        return StoredPlace(str(row["resource_uri"]), str(row.get("dataset") or ""), place)
    except (LookupError, TypeError, ValueError):
        raise UnusableSvoReply("A location of the virtual observatory is none that can be read.") from None


def _object(answer: Answer) -> dict[str, Any]:
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise SvoAway(f"The virtual observatory fails with status {answer.status}. Try again later.")
    if answer.status != HTTPStatus.OK:
        raise UnusableSvoReply(f"The virtual observatory answers a question with status {answer.status}.")
    told = answer.json()
    if not isinstance(told, dict):
        raise UnusableSvoReply("The virtual observatory sent something that is no object.")
    return told


def _objects(told: dict[str, Any]) -> list[dict[str, Any]]:
    rows = told.get("objects")
    if not isinstance(rows, list) or not all(isinstance(one, dict) for one in rows):
        raise UnusableSvoReply("The virtual observatory sent something that is no list.")
    return rows


def _meta(told: dict[str, Any]) -> dict[str, Any]:
    meta = told.get("meta")
    return meta if isinstance(meta, dict) else {}


def _is_there(answer: Answer, good: HTTPStatus) -> bool:
    if answer.status == HTTPStatus.NOT_FOUND:
        return False
    checked(answer, good)
    return True
