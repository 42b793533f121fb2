"""The ways to find out who asks that settings switch on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from armillary.access.modes import Mode
from armillary.settings.auth import AuthSettings

if TYPE_CHECKING:
    from armillary.access.web_tokens import WebTokens


def web_tokens_of(settings: AuthSettings) -> tuple[WebTokens, ...]:
    """Return the authenticator of people who signed in elsewhere, if there is an issuer.

    Raises
    ------
    UnusableCertificate
        If the file of a certificate has no key that can be used.
    """
    if not settings.jwt.issuer:
        return ()
    # Commands and most archives need none of it, and its cryptography takes a quarter of a second to load.
    from armillary.access.web_tokens import WebTokens

    return (WebTokens(settings.jwt, Mode(settings.mode)),)
