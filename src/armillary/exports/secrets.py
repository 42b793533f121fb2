"""Cookies of destinations: read when they are needed, from where the settings say, and kept nowhere."""

from __future__ import annotations

import os
from pathlib import Path

from armillary.exports.errors import SecretMissing


def read_secret(source: str) -> str:
    """Return the secret that ``env:VARIABLE`` or ``file:PATH`` names; empty if no source is named.

    Raises
    ------
    SecretMissing
        If there is none, or it is nothing that a cookie can hold.
    """
    if not source:
        return ""
    kind, _, place = source.partition(":")
    if kind == "env":
        secret = os.environ.get(place, "")
    else:
        try:
            secret = Path(place).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise SecretMissing(f"The cookie in {source} cannot be read: {reason}.") from None
    secret = secret.strip()
    if not secret:
        raise SecretMissing(f"There is no cookie in {source}; put it there.")
    # RFC 6265, section 4.1.1: what a cookie may hold.
    if not (secret.isascii() and secret.isprintable()) or any(c in secret for c in ' ",;\\'):
        raise SecretMissing(f"The text in {source} is no value of a cookie; check it.")
    return secret
