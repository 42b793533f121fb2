"""The commands `armillary backup` and `armillary restore`."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from armillary.commands.tables import size
from armillary.commands.terminal import (
    DEFAULT_DATA,
    DataOption,
    JsonOption,
    err,
    escape,
    guarded,
    out,
    print_json,
    run,
    settings_for,
)

if TYPE_CHECKING:
    from armillary.context import Context
    from armillary.operations import service as operations

LOOK_S = 0.1


def backup(
    target: Annotated[Path, typer.Argument(help="Directory of backups, best on another disk.")],
    data: DataOption = DEFAULT_DATA,
    with_adopted: Annotated[
        bool, typer.Option("--with-adopted", help="Copy adopted trees too, not the store alone.")
    ] = False,
    keep: Annotated[
        int | None, typer.Option(min=1, help="Remove all backups there but the last so many.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Copy database, files and undo recipes into a directory, while everything runs; exit 1 if files were gone."""
    from armillary.operations import service as operations

    async def action(context: Context) -> operations.BackupReport:
        with _progress("kept") as show:
            return await operations.back_up(context, target, with_adopted=with_adopted, keep=keep, show=show)

    made = run(data, action)
    if as_json:
        print_json(dataclasses.asdict(made))
    else:
        new = made.files - made.skipped
        out.print(
            f"backup [bold]{made.stamp}[/] of {made.files:,} files, {size(made.bytes)}; {new:,} of them are new"
        )
        for path in made.left:
            out.print(
                f"[yellow]not copied:[/] {escape(path)}, an adopted tree; --with-adopted copies it, too"
            )
        for path in made.newer:
            out.print(f"[yellow]changed meanwhile:[/] {escape(path)}; restoring takes its later bytes in")
        for path in made.missing:
            out.print(f"[red]gone:[/] {escape(path)}; the catalog believes it is there, see armillary verify")
        if made.pruned:
            out.print(f"removed {made.pruned} older backups")
    raise typer.Exit(1 if made.missing else 0)


def restore(
    source: Annotated[Path, typer.Argument(help="Directory of backups.")],
    data: DataOption = DEFAULT_DATA,
    at: Annotated[str | None, typer.Option(help="Which backup; without, the latest.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make an archive from a backup in a directory that does not exist yet, comparing every byte."""
    from armillary.base import log
    from armillary.operations import service as operations

    settings = settings_for(data)
    log.configure(level=os.environ.get("ARMILLARY_LOG", "ERROR"))

    async def action() -> operations.RestoreReport:
        with _progress("restored") as show:
            return await operations.restore(source, settings, stamp=at, show=show)

    done = guarded(lambda: asyncio.run(action()))
    if as_json:
        print_json(dataclasses.asdict(done))
        return
    out.print(f"restored [bold]{done.stamp}[/]: {done.files:,} files, {size(done.bytes)}, in {escape(data)}")
    for path in done.left:
        out.print(
            f"[yellow]used where it stands:[/] {escape(path)};"
            " run armillary ingest on it, it may have changed since"
        )
    for path in done.newer:
        out.print(f"[yellow]taken in again:[/] {escape(path)}, with bytes later than the database")
    for path in done.missing:
        out.print(f"[red]not in the backup:[/] {escape(path)}; it was gone when that was made")
    if done.settings:
        out.print(f"[yellow]settings:[/] {escape(done.settings)}")
    out.print(f"[dim]armillary verify --data {escape(data)} reads everything once more[/]")


@contextmanager
def _progress(done: str) -> Iterator[Callable[[str, int], None]]:
    """Show on a terminal how far a long walk has come."""
    with err.status("taking stock") as status:
        last = 0.0

        def show(key: str, count: int) -> None:
            nonlocal last
            if (now := time.monotonic()) - last > LOOK_S:
                last = now
                status.update(f"{done} {count:,}: {escape(key)}")

        yield show
