"""What publishers and readers of samples are refused."""

from __future__ import annotations

from http import HTTPStatus

from armillary.errors import ArmillaryError, BadRequest, Unavailable


class TooManySamples(ArmillaryError):
    """The request holds too many samples; split it."""

    code, status = "too_many_samples", HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class BadSamples(BadRequest):
    """The body is neither a JSON array of samples nor one sample per line."""

    code = "bad_samples"


class BusUnavailable(Unavailable):
    """The database is away, and samples cannot be kept on disk until it is back; send them again shortly."""

    code = "bus_unavailable"
