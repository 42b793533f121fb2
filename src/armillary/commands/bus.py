"""Commands for the log of telemetry samples: publish to it, ask it about instants and intervals, follow it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from armillary.commands.help import PlainGroup
from armillary.commands.telemetry import play
from armillary.commands.terminal import (
    DEFAULT_DATA,
    DataOption,
    JsonOption,
    err,
    escape,
    fail,
    only_text,
    out,
    print_json,
    run,
)

if TYPE_CHECKING:
    from armillary.base.bus.models import Published, Reject, Start, Stored
    from armillary.context import Context

app = typer.Typer(cls=PlainGroup, no_args_is_help=True, help="The log of telemetry samples.")
Source = Annotated[str, typer.Argument(metavar="SOURCE", help="Component, as `camera`.", callback=only_text)]
TopicName = Annotated[str, typer.Argument(metavar="TOPIC", help="Topic of it.", callback=only_text)]
WHEN = "TAI nanoseconds since 1970, or an instant of UTC such as 2026-01-01T04:05:06Z"


def _time(text: str | None) -> int | None:
    """Read an instant as TAI nanoseconds."""
    from datetime import UTC, datetime

    from armillary.sky.instants import tai_of_datetime

    if text is None or text.lstrip("-").isdigit():
        return None if text is None else int(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"'{text}' is no instant; write {WHEN}.") from None
    return tai_of_datetime(found if found.tzinfo else found.replace(tzinfo=UTC))


@app.command("publish")
def publish(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="Samples as JSON, an array or one per line; by default stdin."),
    ] = None,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Store samples; exit 1 if one is refused. To store a sample again changes nothing."""
    from armillary.base.bus.models import MOST_SAMPLES
    from armillary.base.bus.reading import read_samples
    from armillary.headers.service import source_clocks

    try:
        body = sys.stdin.buffer.read() if file is None else file.read_bytes()
    except OSError as error:
        fail(f"{file}: {error.strerror}")

    async def action(context: Context) -> tuple[list[Published], list[int], list[Reject]]:
        samples, places, rejects = read_samples(body)
        portions = [samples[at : at + MOST_SAMPLES] for at in range(0, len(samples), MOST_SAMPLES)]
        async with source_clocks(context):
            return [await context.bus.publish(one) for one in portions], places, rejects

    found, places, rejects = run(data, action)
    report: dict[str, Any] = {
        "offsets": [offset for one in found for offset in one.offsets],
        "duplicates": [],
        "rejects": [{"index": one.index, "reason": one.reason} for one in rejects],
    }
    for number, one in enumerate(found):
        first = number * MOST_SAMPLES
        report["duplicates"] += [places[first + at] for at in one.duplicates]
        report["rejects"] += [
            {"index": places[first + bad.index], "reason": bad.reason} for bad in one.rejects
        ]
    if as_json:
        print_json(report)
    else:
        out.print(f"{len(report['offsets'])} stored, {len(report['duplicates'])} were there")
        for bad in report["rejects"]:
            err.print(escape(f"sample {bad['index']} refused: {bad['reason']}"))
    if report["rejects"]:
        raise typer.Exit(1)


app.command("play")(play)


@app.command("asof")
def asof(
    source: Source,
    topic: TopicName,
    at: Annotated[str | None, typer.Option("--at", help=f"{WHEN}; by default now.")] = None,
    match: Annotated[
        str | None,
        typer.Option("--match", metavar="FIELD=VALUE", help="Only samples whose payload says so."),
    ] = None,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Show the sample that was in force at an instant; exit 1 if there is none."""
    instant = _time(at)
    field, separator, value = (match or "").partition("=")
    if match is not None and not separator:
        raise typer.BadParameter(f"'{match}' is not FIELD=VALUE.")

    async def action(context: Context) -> Stored | None:
        bus = context.bus
        wanted = (field, value) if match else None
        return await bus.asof(source, topic, bus.now() if instant is None else instant, match=wanted)

    found = run(data, action)
    if found is None:
        fail(f"No sample of {source} {topic} was valid then.")
    _show(found, as_json=as_json)


@app.command("range")
def range_of(
    source: Source,
    topic: TopicName,
    start: Annotated[str, typer.Option("--from", help=WHEN)],
    stop: Annotated[str | None, typer.Option("--to", help=f"{WHEN}; by default now.")] = None,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """List samples of an interval, behind the one that was in force when it began."""
    t0, t1 = _time(start), _time(stop)

    async def action(context: Context) -> list[Stored]:
        bus = context.bus
        return await bus.range(source, topic, t0 or 0, bus.now() if t1 is None else t1)

    found = run(data, action)
    if as_json:
        print_json([_plain(one) for one in found])
        return
    for one in found:
        _show(one, as_json=False)


@app.command("tail")
def tail(
    source: Annotated[str | None, typer.Argument(metavar="[SOURCE]", help="Only this component.")] = None,
    topic: Annotated[str | None, typer.Argument(metavar="[TOPIC]", help="Only this topic of it.")] = None,
    offset: Annotated[int | None, typer.Option("--offset", help="Go on behind this offset.")] = None,
    since: Annotated[str | None, typer.Option("--since", help=f"What arrived since: {WHEN}.")] = None,
    earliest: Annotated[bool, typer.Option("--earliest", help="Begin with the oldest sample.")] = False,
    count: Annotated[int | None, typer.Option("--count", min=1, help="End after so many samples.")] = None,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Show samples as they are stored, until interrupted; with --json, one object per line."""
    from armillary.base.bus.models import Filter, Start

    wanted = Filter(((source, topic),) if source is not None else ())
    start = Start("earliest" if earliest else "latest", offset=offset, time=_time(since))

    async def action(context: Context) -> None:
        await _follow(context, wanted.channels, start, count, as_json=as_json)

    run(data, action)


async def _follow(
    context: Context,
    channels: tuple[tuple[str, str | None], ...],
    start: Start,
    count: int | None,
    *,
    as_json: bool,
) -> None:
    from contextlib import aclosing

    from armillary.base.bus.models import Filter

    left = count
    async with aclosing(context.bus.subscribe(Filter(channels), start)) as lists:
        async for found in lists:
            for one in found[:left]:
                _show(one, as_json=as_json)
            if left is not None and (left := left - len(found)) <= 0:
                return


def _plain(one: Stored) -> dict[str, Any]:
    import msgspec

    from armillary.base.bus.payloads import shown

    return {**msgspec.structs.asdict(one), "payload": shown(one.payload)}


def _show(one: Stored, *, as_json: bool) -> None:
    import msgspec

    if as_json:
        print(msgspec.json.encode(_plain(one)).decode(), flush=True)
        return
    payload = msgspec.json.encode(_plain(one)["payload"]).decode()
    marks = "".join(
        f" ({mark})" for mark, is_so in (("assumed", one.assumed), ("skewed", one.skewed)) if is_so
    )
    shortened = payload if len(payload) <= 100 else f"{payload[:97]}..."
    out.print(escape(f"{one.t_event}{marks}  {one.source} {one.topic}  {shortened}"))
