"""How background work is done and tried again."""

from __future__ import annotations

from pydantic import BaseModel, Field


class WorkSettings(BaseModel):
    """The queue of background work."""

    workers: int = Field(2, ge=1, description="Worker processes that `armillary up` starts.")
    lease_s: float = Field(60.0, gt=0, description="Seconds a claimed order belongs to its worker.")
    poll_s: float = Field(
        30.0, gt=0, description="Seconds between looks at the queue without a notification."
    )
    max_attempts: int = Field(5, ge=1, description="Attempts before an order fails for good.")
    retry_first_s: float = Field(1.0, gt=0, description="Delay before the second attempt; it doubles.")
    retry_last_s: float = Field(300.0, gt=0, description="Longest delay between attempts.")
    room_s: float = Field(
        2.0,
        gt=0,
        description="Seconds between attempts of work for which a disk or the database has no room; they are"
        " not counted.",
    )
    keep_days: float = Field(7.0, gt=0, description="Days that finished orders are kept.")
