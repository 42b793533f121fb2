"""Commands that simulate a night of telemetry, and play one to the log of samples."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from armillary.commands.terminal import (
    DEFAULT_DATA,
    DataOption,
    JsonOption,
    err,
    escape,
    fail,
    out,
    print_json,
    run,
)

if TYPE_CHECKING:
    from armillary.context import Context
    from armillary.demo.telemetry.faults import Fault
    from armillary.demo.telemetry.player import Played


def simulate(
    instrument: Annotated[str, typer.Argument(metavar="INSTRUMENT", help="`spec1`, `cam9` or `cam205`.")],
    out_directory: Annotated[Path, typer.Option("--out", help="Directory for the files.", file_okay=False)],
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another number gives another night.")] = 1,
    exposures: Annotated[int, typer.Option("--exposures", min=1, max=10_000, help="How many images.")] = 20,
    faults: Annotated[
        str,
        typer.Option(
            "--faults",
            metavar="[NAME,...]",
            help="What goes wrong: `all`, or some of drop, delay, duplicate, reorder, stall, nan, stale, shape,"
            " wrong_id, skew, death.",
        ),
    ] = "",
    rate: Annotated[float, typer.Option("--rate", min=0, max=0.05, help="Chance of each fault.")] = 0.001,
    as_json: JsonOption = False,
) -> None:
    """Write the telemetry of a night that never was, and what its headers should say.

    Samples are lines that `POST /v1/samples` and `armillary bus publish` take. Equal seeds give equal bytes.
    """
    from armillary.demo.telemetry import simulate as simulated
    from armillary.demo.telemetry.faults import Spoiler
    from armillary.demo.telemetry.files import write_night

    chosen = _faults(faults)
    try:
        night = simulated(instrument, seed, exposures)
    except LookupError as error:
        fail(f"{error.args[0]}.".capitalize())
    spoiler = Spoiler(seed, chosen, rate)
    said = spoiler.spoil(night.samples()) if chosen else None
    samples, truth, count = write_night(night, out_directory, said=said)
    report = {
        "instrument": instrument,
        "seed": seed,
        "exposures": len(night.plan.exposures),
        "samples": count,
        "samples_file": str(samples),
        "truth_file": str(truth),
        "faults": len(spoiler.done),
    }
    if as_json:
        print_json(report)
    else:
        out.print(escape(f"{report['exposures']} images, {count} samples: {samples}, {truth}"))
        if chosen:
            out.print(f"{len(spoiler.done)} samples were spoilt")


def _faults(text: str) -> tuple[Fault, ...]:
    from armillary.demo.telemetry.faults import Fault

    names = (
        tuple(Fault) if text == "all" else tuple(word for part in text.split(",") if (word := part.strip()))
    )
    if unknown := [one for one in names if one not in list(Fault)]:
        raise typer.BadParameter(f"'{unknown[0]}' is no fault; there are {', '.join(Fault)}.")
    return tuple(map(Fault, names))


def play(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Samples, one per line.", exists=True, dir_okay=False)
    ],
    speed: Annotated[
        float | None,
        typer.Option("--speed", min=0.001, help="Seconds of the samples in one; without it, at once."),
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="A server, instead of the archive of this directory.")
    ] = None,
    token: Annotated[
        str | None, typer.Option("--token", envvar="ARMILLARY_TOKEN", help="Token with the scope `operator`.")
    ] = None,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Publish recorded samples in their order, at once or as they came."""
    played = _play_to(url, token or "", file, speed) if url else run(data, _player(file, speed))
    if as_json:
        print_json({"samples": played.samples, "stored": played.stored, "duplicates": played.duplicates})
    else:
        out.print(f"{played.stored} stored, {played.duplicates} were there")
    for reason in played.rejects[:20]:
        err.print(escape(f"refused: {reason}"))
    if played.rejects:
        raise typer.Exit(1)


def _player(file: Path, speed: float | None) -> Callable[[Context], Awaitable[Played]]:
    from armillary.demo.telemetry.files import read_recording
    from armillary.demo.telemetry.player import play as played
    from armillary.headers.service import source_clocks

    async def action(context: Context) -> Played:
        async with source_clocks(context):
            return await played(read_recording(file), context.bus, speed=speed)

    return action


def _play_to(url: str, token: str, file: Path, speed: float | None) -> Played:
    import asyncio

    import httpx

    from armillary.base.certificates import certificates_for
    from armillary.demo.telemetry.files import read_recording
    from armillary.demo.telemetry.player import Server
    from armillary.demo.telemetry.player import play as played

    async def action() -> Played:
        headers = {"X-Api-Key": token} if token else {}
        trust = certificates_for(url)
        async with httpx.AsyncClient(
            base_url=url, headers=headers, timeout=60.0, trust_env=False, verify=trust
        ) as client:
            return await played(read_recording(file), Server(client), speed=speed)

    try:
        return asyncio.run(action())
    except httpx.HTTPStatusError as error:
        fail(f"{url} answers {error.response.status_code}: {error.response.text[:200]}")
