"""Cookies of destinations: read when they are needed, from where the settings say, and kept nowhere."""

from __future__ import annotations

from armillary.base.secrets import SecretUnreadable
from armillary.base.secrets import read_secret as secret_in
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
    try:
        secret = secret_in(source)
    except SecretUnreadable as error:
        raise SecretMissing(f"The cookie in {source} cannot be read: {error}.") from None
    if not secret:
        raise SecretMissing(f"There is no cookie in {source}; put it there.")
    # RFC 6265, section 4.1.1: what a cookie may hold.
    if not (secret.isascii() and secret.isprintable()) or any(c in secret for c in ' ",;\\'):
        raise SecretMissing(f"The text in {source} is no value of a cookie; check it.")
    return secret
