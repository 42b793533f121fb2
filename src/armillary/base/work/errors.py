"""Failures of background work."""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar

from armillary.errors import ArmillaryError, Conflict


class LostLease(ArmillaryError):
    """Another worker has this order now; nothing of the present run may be written."""

    code, status, transient = "lost_lease", HTTPStatus.CONFLICT, True


class OrderCancelled(Conflict):
    """Somebody cancelled the order."""

    code = "order_cancelled"


class WorkerLost(ArmillaryError):
    """The process that ran the order ended, or could not be reached, as often as the order may be tried."""

    code, status = "worker_lost", HTTPStatus.SERVICE_UNAVAILABLE


class HandlerFailed(ArmillaryError):
    """Something failed that nobody expected; the log of the worker has the traceback."""

    code: ClassVar[str] = "internal"
