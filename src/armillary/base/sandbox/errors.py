"""How work in a child process ends badly."""

from __future__ import annotations

from http import HTTPStatus

from armillary.errors import ArmillaryError


class OutOfMemory(ArmillaryError):
    """Memory limit exceeded."""

    code, status = "out_of_memory", HTTPStatus.UNPROCESSABLE_ENTITY


class OutOfTime(ArmillaryError):
    """Time limit exceeded."""

    code, status, transient = "out_of_time", HTTPStatus.UNPROCESSABLE_ENTITY, True


class ChildDied(ArmillaryError):
    """The process that did the work died."""

    code, status, transient = "child_died", HTTPStatus.SERVICE_UNAVAILABLE, True
