"""What can be wrong with headers, their configuration and their services."""

from __future__ import annotations

from http import HTTPStatus

from armillary.errors import ArmillaryError, Conflict, NotFound


class UnknownInstrument(NotFound):
    """No instrument of this name is configured in `headers.directory`."""

    code = "unknown_instrument"


class ConfigurationRefused(ArmillaryError):
    """The configuration of the instrument has findings; run `armillary header lint` and mend or waive them."""

    code, status = "header_configuration_refused", HTTPStatus.CONFLICT


class ConfigurationExists(Conflict):
    """The directory has a configuration already; nothing was written."""

    code = "header_configuration_exists"
