"""What commands that change something read from the command line: cards, who does it, and why."""

from __future__ import annotations

import getpass
import os
import re
from typing import Annotated, Any

import typer

from armillary.commands.terminal import only_text
from armillary.errors import BadRequest
from armillary.fits.texts import between_quotes, keep_text

WhyOption = Annotated[str, typer.Option(help="Reason, kept with the edit.", callback=only_text)]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
_NUMBER = re.compile(r"(?![-+]?0[0-9])[-+0-9.eE]+")
_SETTING = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=(.*)", re.DOTALL)


def parse_setting(text: str) -> tuple[str, Any]:
    """Read ``KEY=VALUE``: an integer, a float, T or F, a quoted or bare text, nothing for undefined.

    What begins with needless zeros is text: a number would lose them. Where quotes are needed to keep a text
    one, they stay.
    """
    found = _SETTING.fullmatch(only_text(text))
    if not found:
        raise BadRequest(f"'{text}' is no setting: write KEY=VALUE.")
    key, value = found[1], found[2].strip()
    if value in ("T", "F"):
        return key, value == "T"
    if (inside := between_quotes(value)) is not None:
        return key, keep_text(inside)
    for kind in (int, float) if _NUMBER.fullmatch(value) else ():
        try:
            return key, kind(value)
        except ValueError:
            continue
    return key, value or None


def parse_extension(text: str | None) -> int | str | None:
    """Read an HDU: an index or an EXTNAME."""
    return int(text) if text is not None and text.isdigit() else text


def user_name() -> str:
    """Return who runs the command; an account may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.geteuid()}"
