"""What every command shares: the data directory, the context, results for eyes and for scripts.

This module and those of the commands are loaded for `--help` and completion, too. What only the work of a
command needs is therefore imported where that begins.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import json
import os
import sys
import time
import tomllib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer
from rich import markup
from rich.console import Console

from armillary.base.text import storable
from armillary.errors import ArmillaryError, Unavailable

if TYPE_CHECKING:
    from armillary.base.sandbox.pool import Child
    from armillary.context import Context
    from armillary.settings import Settings

T = TypeVar("T")
UP_LOCK = "up.lock"


def only_text(text: str) -> str:
    """Return a word of the command line, unless it holds bytes that are no text.

    Raises
    ------
    typer.BadParameter
        If so.
    """
    if not storable(text):
        raise typer.BadParameter(f"{text!r} is not UTF-8 text; check the encoding of your terminal.")
    return text


DataOption = Annotated[
    Path,
    typer.Option("--data", help="Directory that holds all state.", envvar="ARMILLARY_DATA", file_okay=False),
]
FileArgument = Annotated[str, typer.Argument(help="Logical name of the file.", callback=only_text)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
DEFAULT_DATA = Path("armillary-data")

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)
NOT_BEGUN = 2
"""Exit status of what could not begin; 1 is for files that failed."""


def settings_for(data: Path) -> Settings:
    """Return the settings of a data directory, or end the command with what is wrong in them."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from armillary.settings import Settings

    try:
        return Settings(data=data.resolve())
    except ValidationError as error:
        fail("; ".join(f"setting {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()))
    except SettingsError as error:
        fail(f"{error}: values of several parts are JSON in the environment; {error.__cause__}")
    except tomllib.TOMLDecodeError as error:
        fail(f"{os.environ.get('ARMILLARY_CONFIG') or data / 'armillary.toml'} is no TOML: {error}")
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}; settings are read from there")


def run(
    data: Path,
    action: Callable[[Context], Awaitable[T]],
    *,
    new: bool = False,
    anywhere: bool = False,
    application: str = "armillary cli",
    quick: Callable[[], Sequence[Child]] = tuple,
) -> T:
    """Run an action with a context of the directory, and end the command with a clear message if it fails.

    Only a command that may be the ``new`` archive's first one makes the directory, and only one that tells where
    archives are works ``anywhere``, also where the database belongs to another directory. ``quick`` is called when
    all is loaded and the context is about to be opened, and returns children for its quick work.
    """
    settings = settings_for(data)
    if not new and settings.database.url is None and not (settings.data / "postgres").is_dir():
        fail(
            f"There is no archive in {settings.data}. Check --data (or ARMILLARY_DATA); "
            f"`armillary up --data {data}` or `armillary ingest` begins a new one."
        )
    from armillary.base import log
    from armillary.base.database import Role
    from armillary.context import open_context

    log.configure(level=os.environ.get("ARMILLARY_LOG", "ERROR"))

    async def body() -> T:
        opened = open_context(
            settings, Role.WORKER, application=application, anywhere=anywhere, quick=quick()
        )
        async with opened as context:
            return await action(context)

    return guarded(lambda: asyncio.run(body()))


def begun(action: Callable[[], T]) -> T:
    """Return what an action returns; if it could not even begin, the command ends with the status 2."""
    try:
        return action()
    except typer.Exit as error:
        raise typer.Exit(NOT_BEGUN if error.exit_code == 1 else error.exit_code) from None


def guarded(action: Callable[[], T]) -> T:
    """Return what an action returns; end the command with a clear message if it fails."""
    gc.freeze()
    gc.enable()
    try:
        return action()
    except ArmillaryError as error:
        fail(error.message, code=error.code)
    except KeyboardInterrupt:
        fail("interrupted", status=130)
    except OSError as error:
        fail(f"{error.filename or ''} {error.strerror or error}".strip())
    except Exception as error:
        _fail_by_database(error)
        raise


def _fail_by_database(error: Exception) -> None:
    """End the command if it was the database that failed, or could not be had."""
    import asyncpg

    from armillary.base.database_errors import DatabaseFull, driver_error, is_full, is_transient, reason_of

    if isinstance(lacking := driver_error(error), asyncpg.InsufficientPrivilegeError):
        fail(
            f"The user of the database lacks a right: {lacking}. `armillary db check` as the owner of the"
            " schema lists missing rights of the roles; the user must be its role, or a member of it."
        )
    if is_transient(error):
        away = DatabaseFull() if is_full(error) else Unavailable(f"The database is away: {reason_of(error)}")
        fail(away.message, code=away.code)


def fail(message: str, *, code: str | None = None, status: int = 1) -> NoReturn:
    """End the command with an error on standard error and an exit status."""
    tell(message, code=code)
    raise typer.Exit(status)


def tell(message: str, *, code: str | None) -> None:
    """Print an error on standard error: the message, and in brackets the code, which every surface gives alike."""
    err.print(f"[red]error:[/] {escape(message)}" + (escape(f" [{code}]") if code else ""))


def escape(text: object) -> str:
    """Return a text that the terminal shows as it is: no markup, no control characters."""
    shown = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in str(text))
    return markup.escape(shown)


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output."""
    # ASCII, since names on disk need not be valid text, and terminals need not be UTF-8.
    sys.stdout.write(json.dumps(value, default=str, indent=2) + "\n")


@contextlib.contextmanager
def up_lock(data: Path) -> Iterator[bool]:
    """Hold the lock of the running program; False if another one holds it."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data / UP_LOCK).open("a") as file:
        # A command that looks whether the program runs holds the lock for an instant.
        for pause_s in (0.05, 0.2, 0.5, 1.0, None):
            if _locked(file, fcntl.LOCK_EX):
                yield True
                return
            if pause_s is not None:
                time.sleep(pause_s)
        yield False


def is_up(data: Path) -> bool:
    """Tell whether `armillary up` runs on this directory."""
    try:
        with (data / UP_LOCK).open("rb") as file:
            return not _locked(file, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def _locked(file: IO[Any], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
