"""How much a header update may ask for."""

from __future__ import annotations

from pydantic import BaseModel, Field

from armillary.settings.forms import MIB


class EditSettings(BaseModel):
    """Limits of header updates."""

    max_body: int = Field(8 * MIB, description="Bytes of one request.")
    max_items: int = Field(10_000, description="Items of one request.")
    max_cards: int = Field(500, description="Cards of one item.")
    max_string: int = Field(1000, description="Characters of one value.")
    max_wait_s: float = Field(60.0, description="Longest ?wait= of a status request.")
    idempotency_h: float = Field(24.0, description="Hours that an idempotency key is remembered.")
    protected: tuple[str, ...] = Field((), description="Keywords protected here besides the structural ones.")
    prefer_raw: bool = Field(False, description="A data label of several files means its single RAW file.")
