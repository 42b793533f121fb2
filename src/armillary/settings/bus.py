"""The log of telemetry samples."""

from __future__ import annotations

from pydantic import BaseModel, Field

from armillary.settings.forms import MIB


class BusSettings(BaseModel):
    """The log of telemetry samples."""

    max_payload: int = Field(MIB, ge=1000, description="Bytes of the payload of one sample.")
    max_body: int = Field(32 * MIB, ge=1000, description="Bytes of one request with samples.")
    skew_s: float = Field(
        10.0,
        gt=0,
        description="Seconds between the event time of a sample and its arrival above which it is flagged.",
    )
    spool_bytes: int = Field(
        1 << 30,
        ge=0,
        description="Bytes of samples that a process keeps on disk while the database is away; then it refuses"
        " others.",
    )
