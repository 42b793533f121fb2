"""Which records a query of a list chooses, and in which order: filters, ``search``, ``order_by``."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from armillary.demo.svo import search
from armillary.demo.svo.lookups import in_order, knows, matcher
from armillary.demo.svo.replies import bad
from armillary.demo.svo.world import BOOLEAN, INTEGER, TEXT, Dataset, Record, World

BEGIN = "date_beg"
OF_LOCATIONS = {"id": INTEGER, "file_url": TEXT, "file_path": TEXT, "file_size": INTEGER, "offline": BOOLEAN}
Test = Callable[[Record], bool]


class Selecting:
    """Queries of the list of a dataset."""

    def __init__(self, world: World, dataset: Dataset) -> None:
        self._world, self._dataset = world, dataset
        self._kinds = {"oid": TEXT, "fits_header": TEXT, "tags": TEXT}
        self._kinds |= {one.name: one.type for one in dataset.keywords}
        self._kinds |= {f"data_location__{name}": kind for name, kind in OF_LOCATIONS.items()}

    def select(self, query: Mapping[str, str]) -> list[Record]:
        """Return the records that fit, in the order that is asked for; filters that nobody knows say nothing."""
        tests = [self._test(*parted, said) for name, said in query.items() if (parted := self._parted(name))]
        tests += self._searched(query.get("search"))
        found = [
            one for one in self._world.records[self._dataset.name].values() if all(t(one) for t in tests)
        ]
        return self._ordered(found, query.get("order_by"))

    def _parted(self, name: str) -> tuple[str, str] | None:
        """Return field and lookup of a filter, or None for what is no filter here."""
        field, _, lookup = name.rpartition("__")
        field, lookup = (name, "exact") if name in self._kinds else (field, lookup)
        return (field, lookup) if field in self._kinds and knows(self._kinds[field], lookup) else None

    def _test(self, field: str, lookup: str, said: str) -> Test:
        kind = self._kinds[field]
        fits = matcher(kind, lookup, said)
        if field == "tags":
            return lambda record: any(map(fits, self._names(record)))
        if field == "data_location__id":
            return lambda record: fits(record.location)
        return lambda record: fits(self._value(record, field))

    def _names(self, record: Record) -> list[str]:
        return [self._world.tags[one] for one in record.tags]

    def _searched(self, said: str | None) -> list[Test]:
        if not said:
            return []

        def test(name: str, value: str) -> Test:
            parted = self._parted(name)
            if parted is None:
                raise bad(f"Invalid search field '{name}'.")
            return self._test(*parted, value)

        try:
            return [search.parse(said, test)]
        except search.Unparsable:
            return []

    def _value(self, record: Record, field: str) -> Any:
        if field.startswith("data_location__"):
            place = self._world.locations.get(record.location or 0)
            return getattr(place, field.removeprefix("data_location__")) if place else None
        if field in ("oid", "fits_header"):
            return getattr(record, field)
        return record.values.get(field, "" if self._kinds[field] == TEXT else None)

    def _ordered(self, found: list[Record], order: str | None) -> list[Record]:
        # Records of one begin come in another order each time.
        random.shuffle(found)
        field = (order or BEGIN).removeprefix("-")
        if field not in self._kinds or field == "tags":
            if order is None:
                return found
            raise bad(f"No matching '{field}' field for ordering on.")
        found.sort(key=lambda one: in_order(self._value(one, field)), reverse=(order or "").startswith("-"))
        return found
