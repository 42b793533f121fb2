"""What can be wrong with headers, their configuration and their services."""

from __future__ import annotations

from http import HTTPStatus

from armillary.errors import ArmillaryError, BadRequest, Conflict, NotFound, Unavailable


class UnknownInstrument(NotFound):
    """No instrument of this name is configured in `headers.directory`."""

    code = "unknown_instrument"


class ConfigurationRefused(ArmillaryError):
    """The configuration of the instrument has findings; run `armillary header lint` and mend or waive them."""

    code, status = "header_configuration_refused", HTTPStatus.CONFLICT


class ConfigurationExists(Conflict):
    """The directory has a configuration already; nothing was written."""

    code = "header_configuration_exists"


class UnknownImage(NotFound):
    """No event has named this image."""

    code = "image_unknown"


class UnknownRevision(NotFound):
    """The header has no such revision, product or detector."""

    code = "unknown_header_revision"


class UnknownCard(NotFound):
    """The header has no such keyword."""

    code = "unknown_header_card"


class HeaderNotMade(Conflict):
    """No header could be made for this image."""

    code = "header_failed"


class AnnexUnusable(ArmillaryError):
    """The directory of header objects cannot be used; make room for it, or set `headers.annex`."""

    code, status = "annex_unusable", HTTPStatus.SERVICE_UNAVAILABLE


class CommandRefused(Conflict):
    """The command is not valid in the current state of the service."""

    code = "command_refused"


class CommandFailed(ArmillaryError):
    """The service could not carry out the command."""

    code = "command_failed"


class ServiceAway(Unavailable):
    """No process is the service of this instrument; start it by `armillary up`, or `armillary header run`."""

    code = "header_service_away"


class UnknownHeaderConsumer(NotFound):
    """No consumer of this name is registered; register it by PUT /v1/consumers/NAME."""

    code = "unknown_header_consumer"


class BadConsumerStart(BadRequest):
    """A consumer starts at `earliest`, `latest`, or an instant."""

    code = "bad_consumer_start"


class BadSetting(BadRequest):
    """A value that is set by hand has the form KEY=VALUE."""

    code = "bad_header_setting"
