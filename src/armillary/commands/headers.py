"""Commands for headers that are built from telemetry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from armillary.commands import header_asking, header_service, telemetry
from armillary.commands.check import check
from armillary.commands.help import PlainGroup
from armillary.commands.terminal import JsonOption, escape, fail, guarded, only_text, out, print_json

if TYPE_CHECKING:
    from armillary.headers.recipes.service import Loaded

app = typer.Typer(
    cls=PlainGroup,
    no_args_is_help=True,
    help="Headers of exposures, built from telemetry and configuration.",
)
app.command("qa")(check)
app.command("simulate")(telemetry.simulate)
app.add_typer(header_service.app)
app.add_typer(header_asking.app)
InstrumentOption = Annotated[str, typer.Option(help="Only this instrument.", callback=only_text)]


@app.command("lint")
def lint(
    directory: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR",
            help="Directory with instruments, templates and catalog.",
            exists=True,
            file_okay=False,
            show_default=False,
        ),
    ] = None,
    instrument: InstrumentOption = "",
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of instruments.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check configurations of instruments; exit 1 if there are findings."""
    from armillary.headers.recipes import service

    if schema:
        print_json(service.schema())
        return
    if directory is None:
        raise typer.BadParameter("Name the directory with the configuration.", param_hint="DIR")
    loaded = guarded(lambda: service.load(directory))
    _only(loaded, instrument, directory)
    findings = service.lint(loaded, instrument=instrument or None)
    if as_json:
        told = ("code", "file", "line", "message")
        print_json([{name: getattr(one, name) for name in told} for one in findings])
    else:
        for one in findings:
            out.print(escape(f"{one.file}:{one.line}: {one.code} {one.message}"))
        checked = instrument or ", ".join(sorted(loaded.recipes))
        out.print(
            escape(f"{len(findings)} findings in {checked}." if findings else f"{checked}: no findings.")
        )
    if findings:
        raise typer.Exit(1)


def _only(loaded: Loaded, instrument: str, directory: Path) -> None:
    """End the command if there is nothing to check."""
    if instrument and instrument not in loaded.recipes and not loaded.findings:
        fail(f"There is no {directory / 'instruments' / instrument}.yaml.", code="unknown_instrument")
    if not loaded.recipes and not loaded.findings:
        fail(f"There are no instruments: {directory / 'instruments'} has no files NAME.yaml.")


@app.command("config")
def config(
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Directory with instruments, templates and catalog.", file_okay=False
        ),
    ],
    instrument: InstrumentOption = "",
    new: Annotated[
        bool, typer.Option("--new", help="Write the reference instruments there, to begin with.")
    ] = False,
) -> None:
    """Print configurations as they are resolved, with their revisions, as JSON; or begin a directory of them."""
    from msgspec import to_builtins

    from armillary.headers.recipes import service

    if new:
        for path in guarded(lambda: service.copy_reference(directory, instrument or None)):
            out.print(escape(str(path)))
        return
    loaded = guarded(lambda: service.load(directory))
    _only(loaded, instrument, directory)
    print_json(
        {
            name: {
                "recipe": to_builtins(recipe),
                "templates": {
                    product: to_builtins(one)
                    for (owner, product), one in loaded.templates.items()
                    if owner == name
                },
            }
            for name, recipe in loaded.recipes.items()
            if instrument in ("", name)
        }
    )


@app.command("bench")
def bench(
    instrument: Annotated[str, typer.Option(help="Which instrument.", callback=only_text)] = "cam205",
    directory: Annotated[
        Path | None,
        typer.Option(
            help="Directory with its configuration; empty: the reference instruments.",
            exists=True,
            file_okay=False,
            show_default=False,
        ),
    ] = None,
    product: Annotated[str, typer.Option(help="Which of its templates.", callback=only_text)] = "raw",
    segments: Annotated[bool, typer.Option("--segments", help="List all amplifiers.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure rendering of a made-up exposure to FITS and JSON, beside PyYAML's dump of the same cards."""
    from msgspec import to_builtins

    from armillary.headers.recipes import service
    from armillary.headers.render.service import measure, with_segments

    loaded = guarded(lambda: service.load(directory or service.reference_directory()))
    recipe, template = loaded.recipes.get(instrument), loaded.templates.get((instrument, product))
    if recipe is None or template is None:
        fail(f"There is no instrument {instrument} with a template {product}.", code="unknown_instrument")
    found = measure(recipe, with_segments(template) if segments else template)
    if as_json:
        print_json(to_builtins(found))
        return
    out.print(f"{found.cards} cards: {found.render_s * 1e3:.1f} ms, PyYAML {found.yaml_s * 1e3:.0f} ms")
    out.print(f"{found.ratio:.0f} times as fast")
