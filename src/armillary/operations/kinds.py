"""The kinds of background work of those who run an archive."""

from __future__ import annotations

from armillary.base.work import Kind, Later
from armillary.context import Context

CANCEL, RETRY = "cancel_order", "retry_order"
CLEANING, SWEEPING, RETENTION = "cleaning", "sweeping", "retention"
KINDS: tuple[Kind[Context], ...] = (
    Kind(CANCEL, Later("armillary.operations.orders", "cancel_order")),
    Kind(RETRY, Later("armillary.operations.orders", "retry_order")),
)
CHORES: tuple[Kind[Context], ...] = (
    Kind(CLEANING, Later("armillary.operations.cleaning", "clean"), interruptible=True),
    Kind(SWEEPING, Later("armillary.operations.cleaning", "sweep"), interruptible=True),
    Kind(RETENTION, Later("armillary.operations.retention", "thin_in_steps"), interruptible=True),
)
"""What no command helps with: somebody waits for that."""
