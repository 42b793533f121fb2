"""Queues of items."""

from __future__ import annotations

from pydantic import BaseModel, Field

from armillary.settings.forms import MIB


class PipeSettings(BaseModel):
    """Queues of items that sites and their processing machines exchange."""

    auto_create_queues: bool = Field(
        False, description="Sending an item to a queue that does not exist makes the queue, instead of 404."
    )
    max_payload: int = Field(MIB, ge=1000, description="Bytes of one request with an item.")
    idempotency_h: float = Field(
        24.0, gt=0, description="Hours that the key of an item is remembered against repetitions."
    )
