"""Which certificates are trusted when another server is asked: those of the system, read once per process.

Reading them takes a twentieth of a second, longer than most requests. Plain HTTP needs none.
"""

from __future__ import annotations

import ssl
from functools import cache


@cache
def trusted() -> ssl.SSLContext:
    """Return the certificates that the system trusts."""
    return ssl.create_default_context()


def certificates_for(url: str) -> ssl.SSLContext:
    """Return those for a client that asks this address alone; of plain HTTP a context that trusts nobody."""
    return _nobody() if url.startswith("http://") else trusted()


@cache
def _nobody() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
