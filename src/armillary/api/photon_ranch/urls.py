"""Addresses that this interface gives out: of slots, and of objects that whoever has the address may fetch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlencode

from fastapi import Request

from armillary.base.signing import is_signed, sign
from armillary.context import Context

PURPOSE = "object"
OBJECTS, HYPHENATED = "objects", "image-objects"
LIFE_S, SHORT_LIFE_S = 604_800, 432_000
"""Seconds that an address of a converted object or a picture lasts, and of any other object."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Makes addresses below the server's public one; ``now`` is when they begin to last."""

    base: str
    secret: bytes
    now: datetime

    def of_object(self, key: str, *, life_s: int = LIFE_S, form: str = "") -> str:
        """Return the signed address of an object; ``form`` is what it is to be converted to."""
        expires = str(int(self.now.timestamp()) + life_s)
        signature = sign(self.secret, PURPOSE, key, form, expires)
        query = {"expires": expires, **({"form": form} if form else {}), "signature": signature}
        return f"{self.base}/{self._place}/{quote(key)}?{urlencode(query)}"

    @property
    def _place(self) -> str:
        # A client splits addresses at hyphens and takes the fourth part for the date of the file: there has to be
        # one hyphen in front of the name.
        return OBJECTS if "-" in self.base else HYPHENATED


def is_address(secret: bytes, key: str, form: str, expires: str, signature: str, now: datetime) -> bool:
    """Tell whether the address of an object was given out here, and still lasts."""
    signed = is_signed(secret, signature, PURPOSE, key, form, expires)
    return signed and expires.isdigit() and int(expires) >= now.timestamp()


def base_of(request: Request, context: Context) -> str:
    """Return the public address of this interface without a slash at its end."""
    settings = context.settings.photon_ranch
    server = settings.public_url or str(request.base_url)
    return server.rstrip("/") + ("" if "" in settings.prefixes else settings.prefixes[0])
