"""The kinds of background work of those who run an archive."""

from armillary.operations.cleaning import KINDS as CLEANING
from armillary.operations.orders import KINDS as ORDERS
from armillary.operations.retention import KINDS as RETENTION

CHORES = (*CLEANING, *RETENTION)
"""What no command helps with: somebody waits for that."""
KINDS = ORDERS

__all__ = ["CHORES", "KINDS"]
