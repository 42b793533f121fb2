"""What can be wrong with the place of a site or with an instant."""

from __future__ import annotations

from http import HTTPStatus

from armillary.errors import ArmillaryError, BadRequest


class PlaceMissing(ArmillaryError):
    """The configuration of the site tells no place: it needs `latitude`, `longitude` and `TZ_database_name`."""

    code, status = "place_missing", HTTPStatus.UNPROCESSABLE_ENTITY


class UnknownZone(ArmillaryError):
    """The `TZ_database_name` of the site is no time zone; use a name such as `America/Santiago`."""

    code, status = "unknown_zone", HTTPStatus.UNPROCESSABLE_ENTITY

    def __init__(self, message: str | None = None, *, zone: str = "") -> None:
        super().__init__(message)
        self.zone = zone


class BadInstant(BadRequest):
    """Invalid time: use seconds since 1970 or an ISO date such as `2026-01-01T05:00:00Z`."""

    code = "bad_instant"


class BadPosition(BadRequest):
    """Invalid position: the latitude is -90 to 90 degrees, the longitude -180 to 360."""

    code = "bad_position"


class BadSpan(BadRequest):
    """Invalid span: it must end after it starts."""

    code = "bad_span"


class SpanTooLong(BadRequest):
    """The span is longer than 400 days; ask for it in parts."""

    code = "span_too_long"
