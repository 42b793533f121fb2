"""Commands that fill an archive with what never was, to try searches at size."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from armillary.commands.help import PlainGroup
from armillary.commands.terminal import DEFAULT_DATA, DataOption, err, escape, fail, out, run

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

    from armillary.context import Context

app = typer.Typer(cls=PlainGroup, no_args_is_help=True, help="Fill an archive with synthetic data.")


@app.callback()
def _demo() -> None:
    """Fill an archive with synthetic data."""


@app.command()
def frames(
    count: Annotated[int, typer.Option(min=1, max=20_000_000, help="How many frames.")] = 1_000_000,
    data: DataOption = DEFAULT_DATA,
    seed: Annotated[int, typer.Option(min=0, help="Another number gives other frames.")] = 1,
    beside_files: Annotated[
        bool, typer.Option("--beside-files", help="The archive may hold real files; theirs are not touched.")
    ] = False,
) -> None:
    """Record synthetic frames of five years and four telescopes; there are no files behind them.

    Equal counts and seeds give equal frames. A million take two to four minutes and 3 GB.
    """
    from rich.progress import Progress

    from armillary.demo.filling import fill

    async def load(context: Context) -> None:
        with Progress(*_columns(), console=err, disable=not err.is_terminal) as bar:
            task = bar.add_task("frames", total=count)
            await fill(
                context,
                count,
                seed=seed,
                beside_files=beside_files,
                progress=lambda made: bar.advance(task, made),
            )

    start = time.monotonic()
    run(data, load, new=True)
    out.print(f"{count} synthetic frames are in, after {time.monotonic() - start:.0f} s.")


@app.command()
def sun(
    directory: Annotated[
        Path, typer.Argument(help="Where the files are written; those that are there stay.")
    ],
) -> None:
    """Write a day at a solar telescope: cubes with pictures beside them, and vocabularies for their tags.

    It is the day of `armillary up --demo`, for an ingestion root of your own.
    """
    from armillary.demo.solar import write_day

    try:
        count = len(write_day(directory, vocabularies=directory / "vocabularies"))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    out.print(escape(f"{count} cubes are below {directory}."))


def _columns() -> tuple[str | ProgressColumn, ...]:
    from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TimeRemainingColumn

    return (
        "{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
