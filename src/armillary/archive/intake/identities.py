"""Change what makes the files of a root the same files."""

from __future__ import annotations

from dataclasses import dataclass

from armillary.archive.catalog import identity_store
from armillary.archive.catalog.models import Root
from armillary.archive.catalog.roots import root_by_name
from armillary.archive.errors import NamesNotUnique
from armillary.archive.intake import orders
from armillary.archive.models import Identity
from armillary.context import Context

MOST_TOLD = 10


@dataclass(frozen=True, slots=True)
class Changed:
    """A root with another identity, and the orders that take files in again which are files of their own now."""

    root: Root
    orders: list[int]


async def set_identity(context: Context, name: str, identity: Identity) -> Changed:
    """Let the files of a root be known by their paths, or by their names alone.

    By paths, every file keeps its history where it is present; other copies of it are taken in again, as files of
    their own. By names alone, files of one name become one if they have the same content, or all but one of them
    are not present any more.

    Raises
    ------
    UnknownRoot
        If there is no root of that name.
    NamesNotUnique
        If names would stand for several contents, with their places; then nothing is changed.
    """
    async with context.database.begin() as connection:
        root = await root_by_name(connection, name)
        if root.identity is identity:
            return Changed(root, [])
        await identity_store.set_identity(connection, root.id, identity)
        if identity is Identity.BY_PATH:
            apart = await identity_store.tell_apart(connection, root.id)
            ids = await orders.submit_ingests(connection, apart, actor="operator", force=True, patient=False)
            return Changed(root, ids)
        if rivals := await identity_store.rivals(connection, root.id, most=MOST_TOLD + 1):
            raise NamesNotUnique.of(root.name, rivals, most=MOST_TOLD)
        await identity_store.merge(connection, root.id)
        return Changed(root, [])
