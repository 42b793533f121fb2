"""Pages for people."""

from __future__ import annotations

from pydantic import BaseModel, Field


class ConsoleSettings(BaseModel):
    """Pages for people."""

    patience_ms: int = Field(
        30,
        ge=1,
        le=60_000,
        description="Milliseconds that the search page waits for a look through headers; then it comes without "
        "its rows, which follow by themselves.",
    )
