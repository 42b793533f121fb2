"""Which provider the settings mean."""

from __future__ import annotations

from armillary.context import Context
from armillary.sites.rooms.errors import RoomsNotProvided
from armillary.sites.rooms.fake import FakeRooms
from armillary.sites.rooms.models import Provider
from armillary.sites.rooms.selfhosted import SelfHosted


def provider_of(context: Context) -> Provider:
    """Return the provider of control rooms.

    Raises
    ------
    RoomsNotProvided
        If there is none.
    """
    settings = context.settings.rooms
    match settings.provider:
        case "remotehq":
            # The library for HTTP is loaded by those who have a use for it.
            from armillary.sites.rooms.remotehq import RemoteHq

            return RemoteHq(settings)
        case "selfhosted":
            return SelfHosted(settings, context.clock)
        case "fake":
            return FakeRooms()
        case "none":
            raise RoomsNotProvided
