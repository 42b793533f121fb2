"""Signatures of URLs and forms that this server gives out and believes when they come back."""

from __future__ import annotations

import base64
import hashlib
import hmac

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_KEY = text("SELECT key FROM signing_key WHERE purpose = :purpose")


async def signing_key(connection: AsyncConnection, purpose: str) -> bytes:
    """Return the key for a purpose, which all processes of an archive share and no restart changes.

    Raises
    ------
    LookupError
        If migrations made none for that purpose.
    """
    found = (await connection.execute(_KEY, {"purpose": purpose})).scalar()
    if found is None:
        raise LookupError(f"no signing key is for {purpose!r}")
    return bytes(found)


def sign(key: bytes, *parts: str) -> str:
    """Return the signature of texts (HMAC-SHA256, base64url); where one ends and the next begins counts, too."""
    message = b"".join(f"{len(part.encode())}:{part}".encode() for part in parts)
    digest = hmac.digest(key, message, hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def is_signed(key: bytes, signature: str, *parts: str) -> bool:
    """Tell whether a signature is that of these texts, in a time that tells nothing about the right one."""
    return hmac.compare_digest(sign(key, *parts).encode(), signature.encode("utf-8", "replace"))
