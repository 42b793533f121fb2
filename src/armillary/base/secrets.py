"""Secrets of others: read when they are needed, from where the settings say, and kept nowhere."""

from __future__ import annotations

import os
from pathlib import Path


class SecretUnreadable(Exception):
    """The file of a secret cannot be read; the message is the reason."""


def read_secret(source: str) -> str:
    """Return the text that ``env:VARIABLE`` or ``file:PATH`` names, stripped; empty if there is none.

    Raises
    ------
    SecretUnreadable
        If a file cannot be read.
    """
    kind, _, place = source.partition(":")
    if kind == "env":
        return os.environ.get(place, "").strip()
    try:
        return Path(place).read_text("utf-8").strip() if place else ""
    except (OSError, UnicodeDecodeError) as error:
        raise SecretUnreadable(
            str(error.strerror) if isinstance(error, OSError) else "it is no text"
        ) from None
