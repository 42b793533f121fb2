"""An archive with an ingestion root, cubes that come to rest in it, and what became of their orders."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from armillary.archive.cubes import service as cubes
from armillary.archive.cubes.models import Cube, Options
from armillary.base.work import admin
from armillary.base.work.admin import OrderView
from armillary.demo.solar import SolarCube, write_cube
from armillary.settings import IngestionSettings, SstSettings
from tests.support.archive import OLD_NS, Archive, an_archive
from tests.support.postgres import Server


class Size(TypedDict):
    """How many pixels a cube has."""

    width: int
    height: int
    wavelengths: int


TINY: Size = {"width": 8, "height": 6, "wavelengths": 2}
"""Of cubes of which nobody looks at the pixels."""


@dataclass(frozen=True)
class Observatory(Archive):
    """An archive with the ingestion root ``sst``."""

    root: Path

    def put(self, cube: SolarCube, *, name: str | None = None, mtime_ns: int = OLD_NS) -> Path:
        """Write a cube that came to rest long ago."""
        path = write_cube(self.root, cube, name=name)
        os.utime(path, ns=(mtime_ns, mtime_ns))
        return path

    async def take_in(self, path: Path, **options: Any) -> OrderView:
        """Order a file to be taken in, work until that has ended, and return the order."""
        asked = Options.of_args(options)
        below = str(path.relative_to(self.root))
        submitted = await cubes.submit(self.context, below, asked, root=None, actor="test")
        await self.run([submitted.order])
        return await self.order(submitted.order)

    async def order(self, number: int) -> OrderView:
        """Return an order as it stands."""
        async with self.context.database.begin() as connection:
            return (await admin.find_orders(connection, [number]))[number]

    async def cube(self, oid: str) -> Cube | None:
        """Return the cube of an oid."""
        async with self.context.database.begin() as connection:
            return (await cubes.cubes_called(connection, [oid])).get(oid)

    async def present(self, oid: str) -> Cube:
        """Return the cube of an oid that has to be there."""
        found = await self.cube(oid)
        assert found is not None
        return found


@asynccontextmanager
async def an_observatory(
    server: Server, directory: Path, *, sst: SstSettings | None = None, **sections: Any
) -> AsyncIterator[Observatory]:
    """Open an empty archive with an empty ingestion root."""
    root = directory / "sst"
    root.mkdir()
    settings = {"ingestion": IngestionSettings(roots={"sst": root}), "sst": sst or SstSettings(), **sections}
    async with an_archive(server, directory, sections=settings) as archive:
        await cubes.register(archive.context)
        yield Observatory(archive.context, directory, root)


def steps_of(order: OrderView) -> dict[str, list[str]]:
    """Return the outcomes of the steps of a run by their names, with the reason where there is one."""
    told: dict[str, list[str]] = {}
    for one in order.steps or ():
        why = f": {one['why']}" if one["why"] else ""
        told.setdefault(str(one["name"]), []).append(f"{one['outcome']}{why}")
    return told


def outcomes_of(orders: Sequence[OrderView]) -> list[Any]:
    """Return what orders brought, or why they failed."""
    return [
        one.response.value["outcome"] if one.response and one.response.ok else one.error for one in orders
    ]  # type: ignore[index,call-overload]
