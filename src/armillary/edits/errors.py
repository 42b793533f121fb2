"""What goes wrong with header updates; the messages are part of the wire contract."""

from __future__ import annotations

from http import HTTPStatus

from armillary.errors import ArmillaryError, BadRequest, Conflict, NotFound


class MalformedRequest(BadRequest):
    """The body is not a header update request."""

    code = "malformed_request"


class ItemRefused(ArmillaryError):
    """The item cannot be carried out; the message is the reason that its reply gives."""

    code, status = "item_refused", HTTPStatus.UNPROCESSABLE_ENTITY


class KeyReused(Conflict):
    """The Idempotency-Key was already used with another body. Use a new key for a new request."""

    code = "idempotency_key_reused"


class OutcomeUnknown(ArmillaryError):
    """Outcome unknown: the database went away during the commit. Repeat with the same Idempotency-Key."""

    code, status = "outcome_unknown", HTTPStatus.SERVICE_UNAVAILABLE


class UnknownRequest(NotFound):
    """No such update request, or it has expired."""

    code = "unknown_request"


class ExtensionNotFound(ArmillaryError):
    """The file has no such extension, or several."""

    code, status = "extension_not_found", HTTPStatus.UNPROCESSABLE_ENTITY


class NoHeaders(BadRequest):
    """The file has no headers; only FITS files can be edited."""

    code = "no_headers"


class FileGone(NotFound):
    """The file is not where it was when the update was accepted."""

    code = "file_gone"


class DigestMismatch(Conflict):
    """The content has another digest than the update says; prepare it anew."""

    code = "digest_mismatch"


class CardsChanged(Conflict):
    """A card has changed since the edit was prepared."""

    code = "cards_changed"


class NothingToRevert(Conflict):
    """There is no edit of this file that could be reverted."""

    code = "nothing_to_revert"


class RevertBlocked(Conflict):
    """A later edit changed the same card; revert that one first."""

    code = "revert_blocked"


class EditNotFound(NotFound):
    """There is no such edit; the list of edits tells their ids."""

    code = "edit_not_found"
