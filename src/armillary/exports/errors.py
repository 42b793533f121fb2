"""What goes wrong on the way to another server. Nearly all of it passes: exports try again by themselves."""

from __future__ import annotations

from http import HTTPStatus

from armillary.errors import ArmillaryError, NotFound, Unavailable


class UnknownDestination(NotFound):
    """No destination of that name is configured; see `armillary export destinations`."""

    code = "unknown_destination"


class DestinationAway(Unavailable):
    """The destination does not answer, or refuses; all exports to it wait for a while."""

    code = "destination_away"


class UnusableReply(Unavailable):
    """The destination answered with something that cannot be used; the export is tried again."""

    code = "unusable_reply"


class SecretMissing(Unavailable):
    """The cookie of a destination is not where the settings say; put it there."""

    code = "export_secret_missing"


class ExportFailed(Unavailable):
    """The file could not be made ready for its export; it is tried again."""

    code = "export_failed"


class TooEarly(Unavailable):
    """Something has to end before the export can go on; it waits."""

    code = "export_too_early"

    def __init__(self, message: str | None = None, *, wait_s: float = 1.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class HeaderUpdateFailed(ArmillaryError):
    """The destination did not take the header update; the file is sent whole."""

    code, status = "header_update_failed", HTTPStatus.BAD_GATEWAY
