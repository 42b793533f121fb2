"""`armillary explain`: where a value comes from, and where the values of a source went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from armillary.commands.terminal import (
    DEFAULT_DATA,
    DataOption,
    JsonOption,
    escape,
    only_text,
    out,
    print_json,
    run,
)

if TYPE_CHECKING:
    from armillary.context import Context


def explain(
    file: Annotated[str, typer.Argument(help="A file, by its name or path.", callback=only_text)] = "",
    keyword: Annotated[str, typer.Argument(help="A keyword of its headers.", callback=only_text)] = "",
    hdu: Annotated[str, typer.Option(help="Only this HDU, by EXTNAME or index.", callback=only_text)] = "",
    source: Annotated[
        str,
        typer.Option(help="Instead: which frames of a night hold values of this source.", callback=only_text),
    ] = "",
    topic: Annotated[str, typer.Option(help="Only this topic of the source.", callback=only_text)] = "",
    instrument: Annotated[
        str, typer.Option(help="The instrument, beside --source.", callback=only_text)
    ] = "",
    night: Annotated[str, typer.Option(help="YYYYMMDD, beside --source.", callback=only_text)] = "",
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Explain a value: source, sample, age, rule, or the edit that set it; or find what a source was used for."""
    if source:
        _using(data, source, topic, instrument, night, as_json=as_json)
        return
    if not (file and keyword):
        raise typer.BadParameter("give a file and a keyword, or --source with --instrument and --night")
    from armillary.headers import service

    async def action(context: Context) -> list[Any]:
        return list(await service.explain(context, file, keyword, hdu or None))

    found = run(data, action)
    if as_json:
        import msgspec

        print_json(msgspec.to_builtins(found))
        return
    for one in found:
        out.print(escape(_told(one)))


def _told(one: Any) -> str:
    from armillary.commands.header_asking import explained

    lines = [f"{one.file} [{one.hdu_name}] {one.key} = {one.value!r}"]
    if one.card is not None:
        lines.append(f"  header of {one.image_id}, revision {one.revision}: {explained(one.card)}")
    if one.edit is not None:
        why = f": {one.edit.why}" if one.edit.why else ""
        lines.append(
            f"  set by edit {one.edit.id} of {one.edit.actor}, {one.edit.finished:%Y-%m-%d %H:%M:%S}{why}"
        )
    if one.card is None and one.edit is None:
        lines.append("  as the file came: no edit has changed it, and no sample is on record for it")
    return "\n".join(lines)


def _using(data: Any, source: str, topic: str, instrument: str, night: str, *, as_json: bool) -> None:
    if not (instrument and night):
        raise typer.BadParameter(
            "--source needs --instrument and --night, as in --instrument spec1 --night 20261130"
        )
    from armillary.headers import service

    async def action(context: Context) -> list[Any]:
        async with context.database.begin() as connection:
            return list(await service.using(connection, instrument, night, source, topic or None))

    found = run(data, action)
    if as_json:
        import msgspec

        print_json(msgspec.to_builtins(found))
        return
    if not found:
        out.print(escape(f"No header of {instrument} in the night {night} holds a value of {source}."))
    for one in found:
        files = f" in {', '.join(one.files)}" if one.files else ""
        out.print(escape(f"{one.image_id}{files}: {', '.join(one.keys)}"))
