"""What commands that change something read from the command line: cards, who does it, and why."""

from __future__ import annotations

import getpass
import os
import re
from typing import Annotated, Any

import typer

from armillary.commands.terminal import only_text
from armillary.errors import BadRequest
from armillary.fits.texts import value_written

WhyOption = Annotated[str, typer.Option(help="Reason, kept with the edit.", callback=only_text)]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
_SETTING = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=(.*)", re.DOTALL)


def parse_setting(text: str) -> tuple[str, Any]:
    """Read ``KEY=VALUE``; the value as `value_written` reads it."""
    found = _SETTING.fullmatch(only_text(text))
    if not found:
        raise BadRequest(f"'{text}' is no setting: write KEY=VALUE.")
    return found[1], value_written(found[2])


def parse_extension(text: str | None) -> int | str | None:
    """Read an HDU: an index or an EXTNAME."""
    return int(text) if text is not None and text.isdigit() else text


def user_name() -> str:
    """Return who runs the command; an account may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.geteuid()}"
