"""The kinds of background work of access."""

from armillary.access.orders import KINDS

__all__ = ["KINDS"]
