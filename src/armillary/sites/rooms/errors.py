"""What goes wrong with control rooms."""

from __future__ import annotations

from http import HTTPStatus

from armillary.base.work.errors import HandlerFailed, OrderCancelled, WorkerLost
from armillary.errors import ArmillaryError, BadRequest, NotFound, Unavailable


class RoomsNotProvided(Unavailable):
    """There are no control rooms here; see the setting `rooms.provider`."""

    code, transient = "rooms_not_provided", False


class ProviderFailed(ArmillaryError):
    """The provider of control rooms does not answer, refuses, or answers what cannot be used."""

    code, status, transient = "room_provider_failed", HTTPStatus.BAD_GATEWAY, True


class RoomSecretMissing(Unavailable):
    """The secret of the provider of control rooms is not where `rooms.secret` says; put it there."""

    code, transient = "room_secret_missing", False


class NoSuchRoom(NotFound):
    """This site has no control room."""

    code = "no_such_room"


class BadBrowser(BadRequest):
    """Invalid request for a browser."""

    code = "bad_browser_request"


FAILURES = (RoomsNotProvided, ProviderFailed, RoomSecretMissing, HandlerFailed, WorkerLost, OrderCancelled)
"""What may become of a request that is right: the worker that serves it may die, too."""
