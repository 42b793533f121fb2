"""Failures of background work."""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar

from armillary.errors import ArmillaryError, Conflict


class LostLease(ArmillaryError):
    """Another worker has this order now; nothing of the present run may be written."""

    code, status, transient = "lost_lease", HTTPStatus.CONFLICT, True


class OrderCancelled(Conflict):
    """The order was cancelled."""

    code = "order_cancelled"


class WorkerLost(ArmillaryError):
    """The worker died, or lost the database, in every attempt that the order had."""

    code, status = "worker_lost", HTTPStatus.SERVICE_UNAVAILABLE


class HandlerFailed(ArmillaryError):
    """Unexpected error; the log of the worker has the traceback."""

    code: ClassVar[str] = "internal"
