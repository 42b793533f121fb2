"""Child processes for work on the bytes of strangers: bounded memory, bounded time, ended at once."""

from armillary.base.sandbox.errors import ChildDied, OutOfMemory, OutOfTime
from armillary.base.sandbox.pool import Ask, Sandbox

__all__ = ["Ask", "ChildDied", "OutOfMemory", "OutOfTime", "Sandbox"]
