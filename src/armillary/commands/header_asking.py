"""Commands that ask for exposures and headers that services have built."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from armillary.commands.terminal import (
    DEFAULT_DATA,
    DataOption,
    JsonOption,
    escape,
    fail,
    only_text,
    out,
    print_json,
    run,
)

if TYPE_CHECKING:
    from armillary.context import Context
    from armillary.headers.service import Asked

app = typer.Typer()
Image = Annotated[str, typer.Argument(metavar="IMAGE", help="Id of the image.", callback=only_text)]
OfInstrument = Annotated[
    str, typer.Option("--instrument", help="Instrument, where several have the image.", callback=only_text)
]
Product = Annotated[str, typer.Option(help="Product, the name of a template.", callback=only_text)]
Rev = Annotated[int | None, typer.Option("--rev", min=1, help="Revision; otherwise the latest.")]
Night = Annotated[str, typer.Option("--night", help="Day of observation, YYYYMMDD.", callback=only_text)]


@app.command("list")
def list_exposures(
    instrument: OfInstrument = "",
    night: Night = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most rows.")] = 20,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """List exposures, the newest first: their states and the latest revisions of their headers."""
    import msgspec

    from armillary.headers import service

    async def action(context: Context) -> list[Any]:
        async with context.database.begin() as connection:
            found: list[Any] = await service.exposures(
                connection,
                instrument=instrument or None,
                night=night.replace("-", "") or None,
                state=None,
                before=None,
                limit=limit,
            )
            return found

    found = run(data, action)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    for one in found:
        revisions = ", ".join(f"{product} r{number}" for product, number in one.revisions.items())
        why = f"  {one.reason}" if one.reason else ""
        out.print(escape(f"{one.image_id:28} {one.instrument:12} {one.state:15} {revisions}{why}"))


def _of_image(
    data: Path,
    image: str,
    instrument: str,
    act: Callable[[Context, Asked], Awaitable[Any]],
    *,
    product: str = "raw",
    rev: int | None = None,
) -> Any:
    """Do something with the header of an image, of whatever instrument it is."""
    from armillary.headers import service

    async def action(context: Context) -> Any:
        asked = await service.asked_of(context, image, instrument or None, product, rev)
        return await act(context, asked)

    return run(data, action)


@app.command("get")
def get(
    image: Image,
    form: Annotated[
        Literal["fits", "json", "yaml", "correction"], typer.Option("--format", help="Form of the header.")
    ] = "json",
    detector: Annotated[str, typer.Option(help="Only the HDUs of this detector.", callback=only_text)] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write.", dir_okay=False)
    ] = None,
    instrument: OfInstrument = "",
    product: Product = "raw",
    rev: Rev = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Print the header of an image, or write it to a file."""
    from armillary.headers import service

    async def act(context: Context, asked: Asked) -> bytes:
        found = await service.form(context, asked, form, detector or None)
        return found.body

    body: bytes = _of_image(data, image, instrument, act, product=product, rev=rev)
    if output is not None:
        output.write_bytes(body)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(body)
    sys.stdout.buffer.flush()


@app.command("diff")
def diff(
    image: Image,
    revisions: Annotated[
        list[int] | None, typer.Argument(metavar="[A B]", help="Two revisions; otherwise the last two.")
    ] = None,
    instrument: OfInstrument = "",
    product: Product = "raw",
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Show what differs between two revisions of the header of an image."""
    import msgspec

    from armillary.headers import service

    if revisions and len(revisions) != 2:
        fail("Name two revisions, or none for the last two.")

    async def act(context: Context, asked: Asked) -> list[Any]:
        async with context.database.begin() as connection:
            known = [one.revision for one in await service.revisions(connection, asked, product)]
        # Of a single revision it is shown that it does not differ from itself.
        old, new = revisions or [*known[-1:], *known][-2:]
        found: list[Any] = await service.difference(context, asked, old, new)
        return found

    found = _of_image(data, image, instrument, act, product=product)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    for one in found:
        out.print(escape(f"{one.hdu:20} {one.key:8} {_shown(one.old)} -> {_shown(one.new)}"))


def _shown(value: Any) -> str:
    return "(undefined)" if value is None else str(value)


@app.command("explain")
def explain(
    image: Image,
    key: Annotated[str, typer.Argument(metavar="KEY", help="A keyword.", callback=only_text)],
    hdu: Annotated[str, typer.Option(help="Only this HDU.", callback=only_text)] = "",
    instrument: OfInstrument = "",
    product: Product = "raw",
    rev: Rev = None,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Say where the value of a keyword comes from: source, sample, age and rule; or why it has none."""
    import msgspec

    from armillary.headers import service

    async def act(context: Context, asked: Asked) -> list[Any]:
        found: list[Any] = await service.card(context, asked, key, hdu or None)
        return found

    found = _of_image(data, image, instrument, act, product=product, rev=rev)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    for one in found:
        out.print(escape(explained(one)))


def explained(one: Any) -> str:
    """Return what is known of a card of a header, in one line."""
    unit = f" {one.unit}" if one.unit else ""
    value = f"{one.hdu} {one.key} = {_shown(one.value)}{unit}"
    if one.reason is not None:
        value += f" ({one.reason})"
    where = ".".join(part for part in (one.source, one.topic, one.field) if part)
    parts = [f"from {where}" if where else "", f"{one.pick} at {one.at}" if one.at else ""]
    if one.seq is not None:
        parts.append(f"sample {one.seq}")
    if one.age_s is not None:
        parts.append(f"{one.age_s:.3f} s old")
    if one.fallback is not None:
        parts.append(f"by fallback {one.fallback}")
    if one.value is None and one.raw is not None:
        parts.append(f"received {one.raw!r}")
    return ", ".join(filter(None, (value, *parts)))
