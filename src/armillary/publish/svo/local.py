"""What the archive would have there: the products of instruments, read page by page and kept as digests."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from armillary.archive.cubes import service as cubes
from armillary.archive.cubes.models import Cube
from armillary.archive.query.service import Offered, offered, offered_files
from armillary.context import Context
from armillary.publish.svo.coercion import Uncoercible, instant
from armillary.publish.svo.drafting import Unpublishable, draft_of, product_of
from armillary.publish.svo.identities import identities_of
from armillary.publish.svo.models import Dataset, Draft, Product

PORTION = 200
UNKNOWN = "no product here has this oid"


@dataclass(slots=True)
class LocalSet:
    """Products of one dataset: those to be published, by oid, and others with the reasons why not."""

    products: dict[str, Product] = field(default_factory=dict)
    aside: list[Product] = field(default_factory=list)

    @property
    def nameless(self) -> dict[str, Product]:
        """Products without an oid, by the names of their files: records there may be theirs."""
        return {one.file.rpartition("/")[2]: one for one in self.aside if not one.oid}

    @property
    def failing(self) -> set[str]:
        """Oids of products that cannot be sent as they are: their records stay."""
        return {one.oid for one in self.aside if one.failed}

    def add(self, product: Product) -> None:
        """Take a product in; of two of one oid the one of higher rank is published."""
        other = self.products.get(product.oid)
        if product.reason:
            self.aside.append(product)
        elif other is None:
            self.products[product.oid] = product
        else:
            older, newer = sorted((other, product), key=lambda one: one.rank)
            self.products[newer.oid] = newer
            self.aside.append(replace(older, reason=f"superseded by {newer.file}"))

    def settle_clashes(self) -> None:
        """Let every file have a path and a URL of its own; the one that came first keeps the plain path."""
        urls: dict[str, Product] = {}
        paths: dict[str, str] = {}
        for one in sorted(self.products.values(), key=lambda one: one.file_id):
            if (place := one.place) is None:
                continue
            if (other := urls.setdefault(place.file_url, one)).file != one.file:
                reason = f"its file URL is that of {other.file}; put {{path}} or {{oid}} into svo.file_url"
                del self.products[one.oid]
                self.aside.append(replace(one, reason=reason, failed=True))
                continue
            # Several cubes of one file share its location.
            if paths.setdefault(place.file_path, place.file_url) != place.file_url:
                place = place.beside()
                self.products[one.oid] = replace(one, place=place)
                paths[place.file_path] = place.file_url


class Local:
    """The catalog, as far as it is published."""

    def __init__(self, context: Context) -> None:
        self._context, self._settings = context, context.settings.svo

    def instruments_of(self, dataset: str) -> list[str]:
        """Return the instruments whose frames belong to a dataset."""
        return [name for name, known in self._settings.datasets.items() if known == dataset]

    def dataset_of(self, instrument: str) -> str | None:
        """Return the dataset of an instrument, whatever the case of its letters; None if it has none."""
        name = instrument.strip().lower()
        return next((known for one, known in self._settings.datasets.items() if one.lower() == name), None)

    async def read(self, dataset: Dataset) -> LocalSet:
        """Return the products of a dataset."""
        found, after = LocalSet(), 0
        while rows := await self._portion(dataset, after):
            for product in await self._products(dataset, rows):
                found.add(product)
            after = rows[-1].version.file_id
        found.settle_clashes()
        return found

    async def of_file(self, dataset: Dataset, file_id: int) -> list[Product]:
        """Return the products that a file is, whatever its instrument; none if it is gone."""
        today = self._context.clock.now().date()
        async with self._context.database.begin() as connection:
            rows = await offered_files(connection, [file_id], today=today)
        return await self._products(dataset, list(rows.values()))

    async def _portion(
        self, dataset: Dataset, after: int, *, begun: datetime | None = None
    ) -> Sequence[Offered]:
        instruments, today = self.instruments_of(dataset.name), self._context.clock.now().date()
        async with self._context.database.begin() as connection:
            return await offered(
                connection, instruments, today=today, after=after, count=PORTION, begun=begun
            )

    async def _products(self, dataset: Dataset, rows: Sequence[Offered]) -> list[Product]:
        identities = await identities_of(self._context, rows)

        def make() -> list[Product]:
            return [
                product_of(self._settings, dataset.keywords, one, identity)
                for one in rows
                for identity in identities[one.version.file_id]
            ]

        return await asyncio.to_thread(make)

    async def oids(self, dataset: Dataset) -> Collection[str]:
        """Return the oids that are published now."""
        return (await self.read(dataset)).products.keys()

    async def holder(self, dataset: Dataset, oid: str) -> Product | None:
        """Return the product that an oid means, None if there is none."""
        found = LocalSet()
        for one in await self._candidates(dataset, oid):
            found.add(one)
        return found.products.get(oid)

    async def _candidates(self, dataset: Dataset, oid: str) -> Iterable[Product]:
        """Return products among which those of an oid are: its cube, or else what began when it says."""
        async with self._context.database.begin() as connection:
            cube = (await cubes.cubes_called(connection, [oid])).get(oid)
        if cube is not None:
            is_of_dataset = self.dataset_of(cube.instrument) == dataset.name
            return await self.of_file(dataset, cube.file_id) if is_of_dataset else ()
        begun = begin_in(oid)
        if begun is None:
            return (await self.read(dataset)).products.values()
        return await self._products(dataset, await self._portion(dataset, 0, begun=begun))

    async def whys_not(self, oids: Collection[str]) -> dict[str, str]:
        """Return why no dataset has products of these oids."""
        async with self._context.database.begin() as connection:
            found = await cubes.cubes_called(connection, oids)
        return {oid: self._why_not(found.get(oid)) for oid in oids}

    def _why_not(self, cube: Cube | None) -> str:
        if cube is None:
            return UNKNOWN
        if self.dataset_of(cube.instrument) is None:
            return f"its instrument {cube.instrument} has no dataset; see svo.datasets"
        return f"{cube.path} is its file, of which no record can be made; the plan of a sync says why"

    async def draft(self, dataset: Dataset, file_id: int, oid: str) -> Draft | None:
        """Return the record of a product as it is now, None if there is no such product any more."""
        today = self._context.clock.now().date()
        async with self._context.database.begin() as connection:
            one = (await offered_files(connection, [file_id], today=today)).get(file_id)
        if one is None:
            return None
        identities = (await identities_of(self._context, [one]))[file_id]
        if not any(identity.oid == oid and not identity.reason for identity in identities):
            return None
        try:
            return await asyncio.to_thread(draft_of, self._settings, dataset.keywords, one, oid)
        except Unpublishable:
            return None


def begin_in(oid: str) -> datetime | None:
    """Return the begin that an oid tells, None if it is of another form."""
    try:
        return instant(oid.partition("_")[0])
    except Uncoercible:
        return None
