"""Failures of computations of the sky that a caller can meet."""

from __future__ import annotations

from http import HTTPStatus

from armillary.errors import ArmillaryError


class OutsideEphemeris(ArmillaryError):
    """The ephemeris DE421 covers the dates 1900-01-01 to 2053-10-01; choose a date between them."""

    code, status = "outside_ephemeris", HTTPStatus.BAD_REQUEST
