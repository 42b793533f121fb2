"""Failures of background work."""

from __future__ import annotations

from http import HTTPStatus

from armillary.errors import ArmillaryError


class LostLease(ArmillaryError):
    """Another worker has this order now; nothing of the present run may be written."""

    code, status, transient = "lost_lease", HTTPStatus.CONFLICT, True
