"""Where PostgreSQL is, and how long statements may take."""

from __future__ import annotations

from pydantic import BaseModel, Field


class DatabaseSettings(BaseModel):
    """Where PostgreSQL is."""

    url: str | None = Field(None, description="DSN of an external PostgreSQL >= 15; empty: the embedded one.")
    web_url: str | None = Field(None, description="DSN of the web role there; empty: as `url`.")
    web_account: str | None = Field(
        None,
        pattern=r"^[a-z_][a-z0-9_.-]*$",
        description="System account of web processes that reach the embedded server by `web_url`; "
        "empty: they run under that of the worker.",
    )
    account: str = Field(
        "armillary", description="System account of the embedded server when started by root."
    )
    pool_size: int = Field(8, ge=1, description="Connections per process.")
    web_patience_s: float = Field(
        20.0,
        gt=0,
        description="Seconds that one statement of a web request may take; it then fails with 503.",
    )
