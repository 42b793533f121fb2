"""A copy of an archive, made while it runs: one instant of the database, and the files as of that instant."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from armillary import __version__
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Root
from armillary.base import dumps, revisions
from armillary.base.identity import read_identity
from armillary.base.place import STAGING
from armillary.base.store import ObjectStore
from armillary.context import Context
from armillary.errors import BadRequest, NotFound
from armillary.operations.capture import PAUSES_S, capture, pieces
from armillary.operations.snapshot import File, View, viewing
from armillary.operations.vault import DUMP, LIST, MANIFEST, SETTINGS, Kept, Vault, entries

FORMAT = 1
SUPERSEDED = ".superseded/"
Progress = Callable[[str, int], None]


@dataclass(slots=True)
class BackupReport:
    """What a backup holds.

    ``skipped`` of its ``files`` were in the directory already. ``newer`` are those whose bytes of that instant
    could not be had, so that later ones are there, and ``missing`` those that are gone.
    """

    stamp: str = ""
    files: int = 0
    bytes: int = 0
    skipped: int = 0
    newer: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    pruned: int = 0


async def back_up(
    context: Context,
    target: Path,
    *,
    with_adopted: bool = False,
    keep: int | None = None,
    show: Progress | None = None,
    pauses_s: Sequence[float] = PAUSES_S,
) -> BackupReport:
    """Write a backup into a directory, and only what is not there yet; then forget all but ``keep`` backups.

    A file that is not as its record says is looked at again after each of ``pauses_s``.

    Raises
    ------
    BackupBusy
        If another backup is being written there.
    DumpFailed
        If the database could not be dumped.
    """
    target = target.absolute()
    if target.is_relative_to(context.settings.data.absolute()):
        raise BadRequest(f"{target} lies inside the archive itself; choose a directory on another disk.")
    vault = Vault(target)
    with vault.writing():
        stamp = context.clock.now().strftime("%Y%m%dT%H%M%SZ")
        async with context.database.begin() as connection:
            await catalog.own_roots(connection, context)
            own = str((await read_identity(connection)).id)
        directory = vault.begin(stamp)
        try:
            run = Run(context, vault, directory, show or _silent, own, _known(vault, own), pauses_s)
            run.report.stamp = stamp
            await run.make(with_adopted=with_adopted)
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        if keep:
            run.report.pruned, _ = await asyncio.to_thread(vault.prune, keep)
    return run.report


def _silent(_what: str, _count: int) -> None:
    """Say nothing."""


def _known(vault: Vault, own: str) -> dict[tuple[str, str], Kept]:
    """Return what the last backup holds of files that never change.

    A copy of the archive, or what was restored of it, uses the names of such files anew.
    """
    if not vault.backups():
        return {}
    last = json.loads((vault.find(None) / MANIFEST).read_text())
    if last.get("archive") != own:
        return {}
    return {
        (entry["root"], entry["key"]): Kept(int(entry["crc"], 16), entry["size"])
        for entry in entries(vault.find(None) / LIST)
        if entry["kind"] in ("undo", "superseded")
    }


@dataclass(slots=True)
class Run:
    """One backup on its way."""

    context: Context
    vault: Vault
    directory: Path
    show: Progress
    own: str
    known: dict[tuple[str, str], Kept]
    pauses_s: Sequence[float]
    report: BackupReport = field(default_factory=BackupReport)
    roots: dict[int, Root] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    async def make(self, *, with_adopted: bool) -> None:
        """Take the instant, dump the database, keep the files, and say at last that all is there."""
        schema = await revisions.current(self.context.database)
        async with self.context.database.begin() as connection:
            self.roots = {root.id: root for root in await catalog.list_roots(connection)}
        owned = [root.id for root in self.roots.values() if with_adopted or root.name in catalog.OWN]
        self.report.left = sorted(root.shown() for root in self.roots.values() if root.id not in owned)
        spool = self.directory / "spool"
        with (self.directory / LIST).open("w") as lines:
            async with viewing(self.context) as view:
                # Staged bytes go as soon as they are in the store, so they come first.
                await self._keep_uploads(view, lines)
                await dumps.dump(
                    self.context.database.source,
                    self.directory / DUMP,
                    snapshot=view.name,
                    name=self.context.database.name,
                    programs=self.context.settings.backup.programs,
                )
                await self._spool(view, owned, spool)
            await self._keep_files(spool, lines)
            for root_id in owned:
                await self._keep_superseded(self.roots[root_id], lines)
        spool.unlink()
        settings = self.context.settings.data / SETTINGS
        if settings.is_file():
            shutil.copyfile(settings, self.directory / SETTINGS)
        await asyncio.to_thread(self._sign, schema or "", owned)

    async def _spool(self, view: View, owned: list[int], spool: Path) -> None:
        """Write down which files the instant knows, so that it need not be held until all are copied."""
        with spool.open("w") as file:
            async for one in view.files(owned):
                file.write(
                    json.dumps(
                        ["file", one.version_id, one.root_id, one.key, one.size, one.crc, one.mtime_ns]
                    )
                )
                file.write("\n")
            async for root_id, name in view.recipes():
                file.write(json.dumps(["undo", root_id, name]) + "\n")
            for args in await view.waiting():
                if int(args["root_id"]) in owned:
                    path, name = str(args["path"]), str(args["filename"])
                    key = f"{path}/{name}" if path else name
                    file.write(json.dumps(["waiting", int(args["root_id"]), key]) + "\n")

    async def _keep_files(self, spool: Path, lines: TextIO) -> None:
        with spool.open() as file:
            for line in file:
                kind, *fields = json.loads(line)
                if kind == "file":
                    await self._keep_file(File(*fields), lines)
                elif kind == "undo":
                    await self._keep_recipe(self.roots[fields[0]], fields[1], lines)
                else:
                    await self._keep_as_is("waiting", self.roots[fields[0]], fields[1], lines)

    async def _keep_file(self, file: File, lines: TextIO) -> None:
        root, wanted = self.roots[file.root_id], Kept(file.crc, file.size)
        if await asyncio.to_thread(self.vault.holds, wanted):
            self.report.skipped += 1
        elif not await capture(
            self.context, self.vault, root, file, own_store=self._own_store(), pauses_s=self.pauses_s
        ):
            shown = root.shown(file.key)
            if await self._keep_as_is("newer", root, file.key, lines):
                self.report.newer.append(shown)
            else:
                self.report.missing.append(shown)
            return
        self._note(
            "file", root.name, file.key, wanted, lines, mtime_ns=file.mtime_ns, version=file.version_id
        )

    async def _keep_recipe(self, root: Root, name: str, lines: TextIO) -> None:
        kept = self.known.get((root.name, name))
        if kept is None or not await asyncio.to_thread(self.vault.holds, kept):
            try:
                data = await catalog.store_of(self.context, root).get_blob(name)
            except NotFound:
                return
            kept = await asyncio.to_thread(self.vault.put, [data])
        if kept:
            self._note("undo", root.name, name, kept, lines)

    def _own_root(self) -> Root:
        return {root.name: root for root in self.roots.values()}[catalog.STORE]

    def _own_store(self) -> ObjectStore:
        return catalog.store_of(self.context, self._own_root())

    async def _keep_superseded(self, root: Root, lines: TextIO) -> None:
        """Keep what uploads replaced; it never changes."""
        async for stored in catalog.store_of(self.context, root).list(SUPERSEDED):
            kept = self.known.get((root.name, stored.key))
            if kept and kept.size == stored.size and await asyncio.to_thread(self.vault.holds, kept):
                self._note("superseded", root.name, stored.key, kept, lines, mtime_ns=stored.mtime_ns)
            else:
                await self._keep_as_is("superseded", root, stored.key, lines)

    async def _keep_as_is(self, kind: str, root: Root, key: str, lines: TextIO) -> bool:
        try:
            kept, mtime_ns = await asyncio.to_thread(
                _as_is, self.vault, catalog.store_of(self.context, root), key
            )
        except NotFound:
            return False
        self._note(kind, root.name, key, kept, lines, mtime_ns=mtime_ns)
        return True

    async def _keep_uploads(self, view: View, lines: TextIO) -> None:
        """Keep staged bytes that wait for a worker, wherever they are by now."""
        for args in await view.uploads():
            token, wanted = str(args["staged"]), Kept(int(args["crc"]), int(args["size"]))
            staged = self.context.settings.data / STAGING / token
            kept: Kept | None = wanted
            if not await asyncio.to_thread(self.vault.holds, wanted):
                with contextlib.suppress(FileNotFoundError):
                    kept = await asyncio.to_thread(self.vault.put, _chunks(staged), wanted)
            if kept is None or not await asyncio.to_thread(self.vault.holds, wanted):
                await self._keep_arrived(args, wanted)
            if await asyncio.to_thread(self.vault.holds, wanted):
                self._note("staged", "", token, wanted, lines)

    async def _keep_arrived(self, args: dict[str, Any], wanted: Kept) -> None:
        """Keep bytes that were moved into the store in the meantime."""
        root = self._own_root()
        key = f"{args['path']}/{args['filename']}" if args["path"] else str(args["filename"])
        with contextlib.suppress(NotFound):
            await asyncio.to_thread(_as_is, self.vault, catalog.store_of(self.context, root), key)

    def _note(self, kind: str, root: str, key: str, kept: Kept, lines: TextIO, **more: int) -> None:
        entry = {"kind": kind, "root": root, "key": key, "crc": f"{kept.crc:016x}", "size": kept.size, **more}
        lines.write(json.dumps(entry) + "\n")
        self.counts[kind] += 1
        self.report.files += 1
        self.report.bytes += kept.size
        self.show(key, self.report.files)

    def _sign(self, schema: str, owned: list[int]) -> None:
        """Write the manifest: from now on this is a backup."""
        manifest = {
            "format": FORMAT,
            "program": __version__,
            "schema": schema,
            "archive": self.own,
            "created": self.report.stamp,
            "sums": {name: _sha256(self.directory / name) for name in (DUMP, LIST)},
            "counts": dict(self.counts),
            "bytes": self.report.bytes,
            "newer": self.report.newer,
            "missing": self.report.missing,
            "roots": [
                {"name": root.name, "path": root.shown(), "copied": root.id in owned}
                for root in self.roots.values()
            ],
        }
        part = self.directory / "manifest.part"
        with part.open("w") as file:
            json.dump(manifest, file, indent=2)
            file.flush()
        _sync(self.directory / DUMP, self.directory / LIST, part)
        part.rename(self.directory / MANIFEST)
        _sync(self.directory, self.directory.parent)


def _as_is(vault: Vault, bytes_of: ObjectStore, key: str) -> tuple[Kept, int]:
    with bytes_of.open(key) as snapshot:
        kept = vault.put(pieces(snapshot))
        if kept is None:
            raise AssertionError("what is wanted is whatever comes")
        return kept, snapshot.stored.mtime_ns


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            yield chunk


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(*paths: Path) -> None:
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
