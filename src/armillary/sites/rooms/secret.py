"""What the program and the provider of control rooms know, and nobody else."""

from __future__ import annotations

from armillary.base.secrets import SecretUnreadable, read_secret
from armillary.settings import RoomSettings
from armillary.sites.rooms.errors import RoomSecretMissing


def secret_of(settings: RoomSettings) -> str:
    """Return the secret that the settings name.

    Raises
    ------
    RoomSecretMissing
        If there is none, or it is nothing that a header can hold.
    """
    if not settings.secret:
        raise RoomSecretMissing("The setting rooms.secret names no secret.")
    try:
        secret = read_secret(settings.secret)
    except SecretUnreadable as error:
        raise RoomSecretMissing(f"The secret in {settings.secret} cannot be read: {error}.") from None
    if not secret or not (secret.isascii() and secret.isprintable()):
        raise RoomSecretMissing(f"There is no secret in {settings.secret} that a request can bear.")
    return secret
