"""The command `armillary`: every command of every noun, each loaded when it is called.

The list of commands and the completion of their names show what stands here, and load nothing more.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.main import get_group

from armillary import __version__
from armillary.commands.help import PlainGroup


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command, or a group of commands, is to be found, and the first line about it."""

    module: str
    attribute: str
    help: str


_PROCESSES, _ARCHIVE, _INTAKE, _EDITS = "processes", "archive", "intake", "edits"
ENTRIES = {
    "up": Entry(
        _PROCESSES, "up", "Start everything on one machine: database, web, workers; stop with Ctrl-C."
    ),
    "serve": Entry(_PROCESSES, "serve", "Run the web process alone."),
    "worker": Entry(
        _PROCESSES,
        "worker",
        "Run a worker as the owner of the files: it edits, ingests, and makes products.",
    ),
    "status": Entry(
        "status",
        "status",
        "Show the status of the archive: versions, queues, workers, last failures, disk space.",
    ),
    "backup": Entry(
        "backup",
        "backup",
        "Copy database, files and undo recipes into a directory, while everything runs;"
        " exit 1 if files were gone.",
    ),
    "restore": Entry(
        "backup",
        "restore",
        "Make an archive from a backup in a directory that does not exist yet, comparing every byte.",
    ),
    "ingest": Entry(
        _INTAKE,
        "ingest",
        "Ingest FITS files and wait for the result; exit 1 if any failed, 2 if it could not begin.",
    ),
    "reingest": Entry(
        _INTAKE, "reingest", "Ingest files anew that a search finds; only what has changed is made again."
    ),
    "watch": Entry(
        _INTAKE,
        "watch",
        "Let a running Armillary take in new files of directories, as `ingest --watch` does, or no longer.",
    ),
    "retire": Entry(
        "retire",
        "retire",
        "Take files out of the catalog with all that was made of them; the files stay, and so does their"
        " history.",
    ),
    "orders": Entry("orders", "app", "Work orders: what waits, runs and ended, and why."),
    "search": Entry(_ARCHIVE, "search_command", "Find frames, newest first."),
    "show": Entry(_ARCHIVE, "show", "Show a file: its location, digests, frame and headers."),
    "verify": Entry(
        _ARCHIVE,
        "verify",
        "Read stored files and compare every byte with the catalog; exit 1 if any differs.",
    ),
    "check": Entry(
        "check", "check", "Check headers for what cannot be true; exit 1 if there is an error or a warning."
    ),
    "edit": Entry(_EDITS, "edit", "Change header cards of a file, or of all files of a selection."),
    "fixhead": Entry(
        "fixhead",
        "fixhead",
        "Fix header cards as Gemini's fixHead does: files by number, settings as KEYWORD:VALUE.",
    ),
    "history": Entry(_EDITS, "history", "List the versions of a file and the edits between them."),
    "diff": Entry(_EDITS, "diff_command", "Show the cards that differ between two versions of a file."),
    "revert": Entry(_EDITS, "revert", "Revert an edit: byte for byte if it is the latest."),
    "db": Entry(_PROCESSES, "db", "The database."),
    "root": Entry("roots", "app", "Roots: the store and adopted trees, and who may change them."),
    "explain": Entry(
        "explain",
        "explain",
        "Explain a value: source, sample, age, rule, or the edit that set it;"
        " or find what a source was used for.",
    ),
    "token": Entry("access", "app", "Tokens: who may do what over HTTP."),
    "grants": Entry("grants", "app", "Grants: who may read what before its release, and who did."),
    "releases": Entry("releases", "releases", "List what becomes public when, as a table or as a calendar."),
    "changeset": Entry("change_sets", "app", "Edits of many files, each one change set."),
    "export": Entry("exports", "app", "Copies of files on other servers."),
    "publish": Entry("publish", "app", "Records of frames in catalogues of others."),
    "submit_to_svo": Entry(
        "publish", "submit", "Create or update the records of products in the SOLARNET Virtual Observatory."
    ),
    "sync_with_svo": Entry(
        "publish",
        "sync",
        "Make the SOLARNET Virtual Observatory say what this archive says; exit 1 if not all was done.",
    ),
    "sites": Entry("sites", "app", "Sites: their events of a night, their night logs."),
    "pipe": Entry("pipe", "app", "Queues of items that sites and machines exchange."),
    "header": Entry("headers", "app", "Headers of exposures, built from telemetry and configuration."),
    "bus": Entry("bus", "app", "The log of telemetry samples."),
    "demo": Entry("synthetic", "app", "Fill an archive with synthetic data."),
}


def load(name: str) -> Any:
    """Return a command or group of commands as Typer has made it from its function."""
    entry, alone = ENTRIES[name], typer.Typer(rich_markup_mode=None)
    found = getattr(import_module(f"armillary.commands.{entry.module}"), entry.attribute)
    if isinstance(found, typer.Typer):
        alone.add_typer(found, name=name)
    else:
        alone.command(name)(found)
    return get_group(alone).commands[name]


class _Commands(PlainGroup):
    """Commands of which only the one that is called, or whose arguments are completed, is loaded."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the command that the first word names, and the other words."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name else command, rest


app = typer.Typer(
    name="armillary",
    cls=_Commands,
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _tell_version(wanted: bool) -> None:  # the value of an option
    if wanted:
        print(f"armillary {__version__}")
        raise typer.Exit


@app.callback(help="From telescope telemetry to a living FITS archive, in one program.")
def _program(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help="Show the version of the program."
        ),
    ] = False,
) -> None:
    pass


def _placeholder() -> None:
    """Stand for a command until it is called."""
    raise AssertionError("the command itself is loaded in time")


for _name, _entry in ENTRIES.items():
    app.command(_name, help=_entry.help)(_placeholder)


def main() -> None:
    """Run the command line."""
    # Loading makes some hundred thousand objects that stay. To look through them for garbage again and again is
    # a fifth of what a short command takes; `guarded` lets it begin when the work does.
    gc.disable()
    app()


def submit_to_svo() -> None:
    """Run `armillary publish svo submit` by its old name."""
    _alone("submit_to_svo")


def sync_with_svo() -> None:
    """Run `armillary publish svo sync` by its old name."""
    _alone("sync_with_svo")


def _alone(name: str) -> None:
    gc.disable()
    load(name).main(prog_name=name)
