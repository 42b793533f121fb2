"""Which location a record is to have: its own, one that is there already, or a new one. Each file has one row."""

from __future__ import annotations

from collections.abc import Sequence

from armillary.publish.svo.comparing import place_differences
from armillary.publish.svo.errors import SvoConflict
from armillary.publish.svo.models import LOCATION, Dataset, Json, Place, StoredPlace
from armillary.publish.svo.observatory import Observatory


class Linking:
    """Locations of one dataset; ``managed`` are all datasets whose records may share them."""

    def __init__(self, observatory: Observatory, dataset: Dataset, managed: Sequence[Dataset]) -> None:
        self._observatory, self._dataset, self._managed = observatory, dataset, managed

    async def link(
        self, oid: str, place: Place, current: StoredPlace | None, *, patient: bool = False
    ) -> Json:
        """Return what a record's location is set to, so that it is this place; None leaves it as it is.

        If the path is another record's, it gets a number, unless it is ``patient``: that record may move on.

        Raises
        ------
        SvoConflict
            If URL or path are those of another record.
        """
        by_url, by_path = await self._found(place)
        if by_path is not None and by_path.uri not in _uris(by_url, current):
            if not await self._is_free(by_path.uri, oid):
                if patient or not place.spare_path:
                    raise SvoConflict(f"The path {place.file_path} is that of another record.")
                place, by_path = place.beside(), None
            elif by_url is None:
                return await self._repaired(by_path, place)
            else:
                await self._observatory.delete_location(by_path.uri)
        if by_url is not None and by_url.uri not in _uris(current):
            if place_differs(place, by_url.place) and not await self._is_free(by_url.uri, oid):
                raise SvoConflict(f"The URL {place.file_url} is that of another record.")
            return await self._repaired(by_url, place)
        if current is None or (by_url is None and not await self._is_free(current.uri, oid)):
            return {"dataset": self._dataset.uri, **place.body()}
        changed = _changed(place, current.place)
        return {"resource_uri": current.uri, **changed} if changed else None

    async def tidy(self, uri: str) -> bool:
        """Remove a location unless a record uses it, or nobody knows; tell whether it is gone."""
        if await self._observatory.users_of(self._managed, uri) != set():
            return False
        await self._observatory.delete_location(uri)
        return True

    async def _found(self, place: Place) -> tuple[StoredPlace | None, StoredPlace | None]:
        """Return the rows of the dataset that have the URL, and the path."""
        by_url = await self._observatory.locations(self._dataset, file_url=place.file_url)
        by_path = await self._observatory.locations(self._dataset, file_path=place.file_path)
        return by_url[0] if by_url else None, by_path[0] if by_path else None

    async def _is_free(self, uri: str, oid: str) -> bool:
        """Tell whether no record but this one uses a location; if nobody knows, one may."""
        users = await self._observatory.users_of(self._managed, uri)
        return users is not None and users <= {(self._dataset.name, oid)}

    async def _repaired(self, row: StoredPlace, place: Place) -> str:
        changed = _changed(place, row.place)
        if changed:
            await self._observatory.change_location(row.uri, changed)
        return row.uri


def place_differs(here: Place, there: Place) -> bool:
    """Tell whether two places of one URL have other paths."""
    return here.at(there.file_path).file_path != there.file_path


def _changed(here: Place, there: Place) -> dict[str, Json]:
    return {one.field.removeprefix(f"{LOCATION}."): one.new for one in place_differences(here, there)}


def _uris(*rows: StoredPlace | None) -> set[str]:
    return {one.uri for one in rows if one is not None}
