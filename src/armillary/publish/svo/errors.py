"""What goes wrong between the archive and the virtual observatory."""

from __future__ import annotations

from http import HTTPStatus

from armillary.errors import ArmillaryError, Conflict, NotFound, Unavailable


class SvoNotConfigured(ArmillaryError):
    """The settings do not say what is published where; see docs/svo.md."""

    code, status = "svo_not_configured", HTTPStatus.UNPROCESSABLE_ENTITY


class SvoKeyMissing(ArmillaryError):
    """There is no key for the virtual observatory: set SVO_USERNAME and SVO_API_KEY, or name a file with it."""

    code, status = "svo_key_missing", HTTPStatus.UNPROCESSABLE_ENTITY


class SvoKeyExposed(ArmillaryError):
    """Others may read the file of the key; run chmod 600 on it."""

    code, status = "svo_key_exposed", HTTPStatus.UNPROCESSABLE_ENTITY


class SvoAway(Unavailable):
    """The virtual observatory does not answer, or is not one."""

    code = "svo_away"


class SvoUnclear(Unavailable):
    """Nobody knows what became of a request to the virtual observatory; what is there has to be looked at."""

    code = "svo_unclear"


class SvoUnauthorized(ArmillaryError):
    """The virtual observatory refuses to be written to."""

    code, status = "svo_unauthorized", HTTPStatus.BAD_GATEWAY


class SvoRefused(ArmillaryError):
    """The virtual observatory does not accept a record or location."""

    code, status = "svo_refused", HTTPStatus.BAD_GATEWAY

    def __init__(self, message: str | None = None, *, fields: frozenset[str] = frozenset()) -> None:
        super().__init__(message)
        self.fields = fields


class SvoConflict(SvoRefused):
    """Another location of the dataset has the same URL or path."""

    code = "svo_conflict"


class UnusableSvoReply(ArmillaryError):
    """The virtual observatory answered with something that cannot be used."""

    code, status = "unusable_svo_reply", HTTPStatus.BAD_GATEWAY


class UnknownDataset(NotFound):
    """The virtual observatory has no such dataset."""

    code = "unknown_svo_dataset"


class ReadOnlyRun(ArmillaryError):
    """A dry run sends nothing but GET."""

    code, status = "svo_dry_run", HTTPStatus.FORBIDDEN


class SyncRuns(Conflict):
    """Another sync with the virtual observatory is running; wait for its end."""

    code = "svo_sync_runs"


class SyncIncomplete(ArmillaryError):
    """A sync with the virtual observatory did not do all that it should."""

    code, status = "svo_sync_incomplete", HTTPStatus.BAD_GATEWAY
