"""Ingestion roots: the directories of the settings, as roots of the archive, and the paths below them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Level
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog import store
from armillary.archive.catalog.media import FITS_NAME
from armillary.archive.catalog.models import Location, Root
from armillary.archive.cubes.errors import (
    NoIngestionRoot,
    NoSuchSource,
    NotInRoot,
    RootNotSetUp,
    UnknownIngestionRoot,
)
from armillary.archive.intake.adoption import check_name
from armillary.archive.models import Identity
from armillary.base.log import get_logger
from armillary.context import Context
from armillary.settings import IngestionSettings, Settings

log = get_logger(__name__)


async def register(context: Context) -> None:
    """Let the directories of the settings be ingestion roots, and no others."""
    settings = context.settings.ingestion
    wanted = {name: path.resolve() for name, path in settings.roots.items()}
    for name, path in wanted.items():
        if not path.is_dir():
            log.warning("ingestion root is away", root=name, path=str(path))
    async with context.database.begin() as connection:
        known = {root.id for root in await store.list_roots(connection) if root.profile}
        kept = {
            (await _registered(connection, context.settings, name, path)).id for name, path in wanted.items()
        }
        for root_id in known - kept:
            await store.set_profile(connection, root_id, None)


async def _registered(connection: AsyncConnection, settings: Settings, name: str, path: Path) -> Root:
    root = await catalog.ensure_root(
        connection,
        name,
        path,
        in_place=False,
        watched=settings.ingestion.watched,
        visibility=Level(settings.sst.strangers),
        identity=Identity.BY_PATH,
    )
    if root.profile != settings.ingestion.profile:
        await store.set_profile(connection, root.id, settings.ingestion.profile)
    if root.watched != settings.ingestion.watched:
        await store.set_watched(connection, root.id, settings.ingestion.watched)
    return root


async def root_ids(connection: AsyncConnection) -> frozenset[int]:
    """Return the ids of the ingestion roots."""
    return frozenset(root.id for root in await store.list_roots(connection) if root.profile)


async def root_called(connection: AsyncConnection, settings: IngestionSettings, name: str | None) -> Root:
    """Return the ingestion root of a name, the first one where none is named.

    Raises
    ------
    NoIngestionRoot
        If there is none at all.
    UnknownIngestionRoot
        If there is none of that name.
    RootNotSetUp
        If no worker has set it up yet.
    """
    if not settings.roots:
        raise NoIngestionRoot
    first, *_ = settings.roots
    chosen = first if name is None else name
    if chosen not in settings.roots:
        raise UnknownIngestionRoot(
            f"There is no ingestion root '{chosen}'; known are {', '.join(settings.roots)}."
        )
    path = await asyncio.to_thread(settings.roots[chosen].resolve)
    for root in await store.list_roots(connection):
        if root.profile and root.path == path:
            return root
    raise RootNotSetUp(f"The ingestion root '{chosen}' is not set up yet; start a worker first.")


def name_of(settings: IngestionSettings, root: Root) -> str:
    """Return what requests call an ingestion root."""
    names = {path.resolve(): name for name, path in settings.roots.items()}
    return names.get(root.path, root.name) if root.path else root.name


def check_source(root: Root, option: str, text: str) -> None:
    """Refuse a picture or a movie that is no file below the root; touches the disk.

    Raises
    ------
    NoSuchSource
        Naming the option.
    """
    try:
        _file_below(root, text)
    except NotInRoot as error:
        raise NoSuchSource.of(option, error.message) from None


def location_below(root: Root, text: str) -> Location:
    """Return where the file of a path below a root is; touches the disk.

    The path is refused, never mended, if it leads out of the root.

    Raises
    ------
    NotInRoot
        If it is absolute or leads out of the root, or there is no FITS file.
    """
    whole, base = _file_below(root, text)
    if not FITS_NAME.fullmatch(whole.name):
        raise NotInRoot(f"{text} is not called like a FITS file: .fits, .fit or .fts, with .fz, .gz or .bz2.")
    below = whole.relative_to(base)
    check_name(below, whole=whole)
    directory = "" if below.parent == Path() else below.parent.as_posix()
    return Location(root.id, directory, below.name)


def _file_below(root: Root, text: str) -> tuple[Path, Path]:
    """Return the file that a path below a root leads to, with every link followed, and the root's directory."""
    base = root.path
    if base is None:
        raise NotInRoot(f"{root.name} is no directory of this machine.")
    if not text or "\x00" in text or text.startswith(("/", "~")) or ".." in text.split("/"):
        raise NotInRoot("The path has to lie below the root: neither absolute nor with '..' in it.")
    try:
        whole = (base / text).resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise NotInRoot(f"{text}: there is no such file below the root.") from None
    if not whole.is_relative_to(base):
        raise NotInRoot(f"{text} leads out of the root.")
    if not whole.is_file():
        raise NotInRoot(f"{text} is no file.")
    return whole, base
