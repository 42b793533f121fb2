"""How long it is remembered who asks."""

from __future__ import annotations

from pydantic import BaseModel, Field


class AccessSettings(BaseModel):
    """Who asks."""

    remember_s: float = Field(
        5.0,
        ge=0,
        le=60,
        description="Seconds that a process remembers who bears a token, which it forgets at once when a token"
        " is revoked or a grant changes; 0 asks the database each time.",
    )
