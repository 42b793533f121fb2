"""Make an archive from a backup, in a directory of its own; it appears there whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Location
from armillary.archive.intake import service as intake
from armillary.base import dumps, migrate
from armillary.base.database import Database, Role
from armillary.base.identity import read_identity, record_place, renew
from armillary.base.place import PRIVATE, STAGING, place_of
from armillary.base.postgres.server import EmbeddedServer
from armillary.base.store.blobs import Blobs
from armillary.base.store.files import SystemFiles
from armillary.errors import Conflict
from armillary.operations import store
from armillary.operations.backup import FORMAT
from armillary.operations.vault import (
    DUMP,
    LIST,
    MANIFEST,
    SETTINGS,
    BackupDamaged,
    Kept,
    Vault,
    entries,
)
from armillary.settings import Settings

ADOPTED = "adopted"
SHOWN = 5
Progress = Callable[[str, int], None]


class NotEmpty(Conflict):
    """Restore into a directory that does not exist yet, and a database without tables."""

    code = "restore_target_not_empty"


class BackupTooNew(Conflict):
    """The backup was made by a newer version of the program; install that one first."""

    code = "backup_too_new"


@dataclass(slots=True)
class RestoreReport:
    """What was restored.

    ``left`` are adopted trees that are used where they stand, ``newer`` files that are taken in again because
    their bytes of that instant could not be had, ``missing`` files of which there were none.
    """

    stamp: str
    files: int = 0
    bytes: int = 0
    newer: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    settings: str = ""


async def restore(
    source: Path, settings: Settings, *, stamp: str | None = None, show: Progress | None = None
) -> RestoreReport:
    """Restore a backup, the latest by default, into the data directory of the settings.

    Everything is compared with the sums that were taken when the backup was made.

    Raises
    ------
    NotEmpty
        If the directory, or the external database of the settings, holds anything.
    BackupDamaged, BackupTooNew, NoBackup
        If the backup cannot be restored.
    """
    vault = Vault(source.absolute())
    directory = vault.find(stamp)
    manifest = json.loads((directory / MANIFEST).read_text())
    await asyncio.to_thread(_check, directory, manifest)
    target = settings.data.resolve()
    if target.exists() and any(target.iterdir()):
        raise NotEmpty(f"{target} is not empty; restore into a directory that does not exist yet.")
    work = target.with_name(f".{target.name}.restoring")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700, parents=True)
    try:
        run = Run(vault, directory, manifest, work, target, show or _silent)
        await asyncio.to_thread(run.lay_out)
        await run.fill_database(settings)
        if target.exists():
            target.rmdir()
        work.rename(target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return run.report


def _silent(_what: str, _count: int) -> None:
    """Say nothing."""


def _check(directory: Path, manifest: Mapping[str, Any]) -> None:
    if manifest["format"] != FORMAT or not migrate.knows(manifest["schema"]):
        raise BackupTooNew(
            f"{directory} has format {manifest['format']} and schema {manifest['schema']}, made by Armillary"
            f" {manifest['program']}; install that version or a newer one."
        )
    for name, sum_then in manifest["sums"].items():
        with (directory / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sum_then:
                raise BackupDamaged(f"{directory / name} is damaged; restore an earlier backup with --at.")


class Run:
    """One restoration: first the files below ``work``, then the database, whose paths are those of ``target``."""

    def __init__(
        self,
        vault: Vault,
        directory: Path,
        manifest: Mapping[str, Any],
        work: Path,
        target: Path,
        show: Progress,
    ) -> None:
        self._vault, self._directory, self._manifest = vault, directory, manifest
        self._work, self._target, self._show = work, target, show
        self._blobs: dict[str, Blobs] = {}
        self._identities: list[tuple[int, str]] = []
        self._again: list[tuple[str, str]] = []
        self.report = RestoreReport(
            manifest["created"], missing=list(manifest["missing"]), newer=list(manifest["newer"])
        )

    def lay_out(self) -> None:
        """Write every file, and see that it is what it was.

        Raises
        ------
        BackupDamaged
            Naming the bytes that are gone or damaged.
        """
        bad: list[str] = []
        for entry in entries(self._directory / LIST):
            try:
                self._write(entry)
            except BackupDamaged as error:
                bad.append(f"{entry['key']}: {error.message}")
        if bad:
            more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
            raise BackupDamaged(f"{' '.join(bad[:SHOWN])}{more} Restore an earlier backup with --at.")
        self._settings()

    def _write(self, entry: Mapping[str, Any]) -> None:
        kept = Kept(int(entry["crc"], 16), entry["size"])
        kind, root, key = entry["kind"], entry["root"], entry["key"]
        if kind == "undo":
            self._blob_store(root).put(key, b"".join(self._vault.read(kept)))
        else:
            path = self._work / STAGING / key if kind == "staged" else self._below(self._work, root) / key
            identity = _lay(path, self._vault.read(kept), entry.get("mtime_ns"))
            if kind == "file":
                self._identities.append((entry["version"], identity))
            elif kind == "newer":
                self._again.append((root, key))
        self.report.files += 1
        self.report.bytes += kept.size
        self._show(key, self.report.files)

    def _blob_store(self, root: str) -> Blobs:
        if root not in self._blobs:
            directory = self._work / PRIVATE / root / "undo"
            directory.mkdir(mode=0o700, parents=True)
            self._blobs[root] = Blobs(directory, SystemFiles())
        return self._blobs[root]

    @staticmethod
    def _below(top: Path, root: str) -> Path:
        return top / root if root in catalog.OWN else top / ADOPTED / root

    def _settings(self) -> None:
        """Put the settings back, unless they lead to the database of the archive that was lost."""
        saved = self._directory / SETTINGS
        if not saved.is_file():
            return
        elsewhere = any(key.endswith("url") for key in tomllib.loads(saved.read_text()).get("database", {}))
        name = f"{SETTINGS}.saved" if elsewhere else SETTINGS
        shutil.copyfile(saved, self._work / name)
        if elsewhere:
            self.report.settings = f"{name}: it names a database elsewhere; look through it, then rename it"

    async def fill_database(self, settings: Settings) -> None:
        """Load the dump, and let it know where its files are now."""
        url = settings.database.url
        if url:
            await self._fill(url, settings)
            return
        server = await EmbeddedServer.acquire(self._work / "postgres", account=settings.database.account)
        try:
            await self._fill(server, settings)
        finally:
            await server.release()

    async def _fill(self, source: str | EmbeddedServer, settings: Settings) -> None:
        database = await Database.connect(source, Role.OWNER, pool_size=1)
        try:
            async with database.begin() as connection:
                if await store.has_tables(connection):
                    raise NotEmpty("The database of database.url holds tables; name one that is empty.")
            # The dump grants rights to roles, which belong to the server: the first migration makes them.
            await migrate.upgrade(database, "0001")
            await migrate.downgrade(database)
        finally:
            await database.close()
        await dumps.load(source, self._directory / DUMP, programs=settings.backup.programs)
        database = await Database.connect(source, Role.OWNER, home=self._target, pool_size=1)
        try:
            await migrate.upgrade(database)
            await self._adapt(database)
        finally:
            await database.close()

    async def _adapt(self, database: Database) -> None:
        """Let the database know where its files are now, and that this is another archive than the lost one."""
        # The directory gets its name at last, and is the same one then.
        here = replace(place_of(self._work), path=self._target)
        async with database.begin() as connection:
            lost = (await read_identity(connection)).place
            for root in self._manifest["roots"]:
                if root["copied"]:
                    self._below(self._work, root["name"]).mkdir(mode=0o755, parents=True, exist_ok=True)
                    address = self._below(Path(), root["name"]).as_posix()
                    await store.move_root(connection, root["name"], address)
                else:
                    await store.leave_root(connection, root["name"], root["path"])
                    self.report.left.append(root["path"])
            await store.set_identities(connection, self._identities)
            await renew(connection, copied_from=lost.path if lost else None)
            await record_place(connection, here)
            roots = {root.name: root for root in await catalog.list_roots(connection)}
            places = [Location(roots[root].id, *_split(key)) for root, key in self._again]
            await intake.submit_ingests(connection, places, actor="restore", force=True, patient=False)


def _split(key: str) -> tuple[str, str]:
    path, _, name = key.rpartition("/")
    return path, name


def _lay(path: Path, chunks: Iterable[bytes], mtime_ns: int | None) -> str:
    """Write a new file durably; return which one it is on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        if mtime_ns is not None:
            os.utime(file.fileno(), ns=(mtime_ns, mtime_ns))
        os.fsync(file.fileno())
        found = os.fstat(file.fileno())
    return f"{found.st_dev}:{found.st_ino}"
