"""What others may ask of control rooms: each request is an order, and waits for its end only so long."""

from __future__ import annotations

from typing import Any

from armillary.base.work import NewOrder, submit
from armillary.base.work.models import JsonValue
from armillary.base.work.waiting import wait_for
from armillary.context import Context
from armillary.errors import error_of
from armillary.sites.models import check_site
from armillary.sites.rooms import store
from armillary.sites.rooms.errors import BadBrowser, NoSuchRoom, ProviderFailed, RoomsNotProvided
from armillary.sites.rooms.models import KIND, Act, Reply, Resolution, Room

GRACE_S = 5.0
"""What an order may take besides the time of the provider."""
MAX_URL = 2000


async def find_room(context: Context, site: str) -> Room | None:
    """Return the room of a site as it is recorded; the provider is not asked.

    Raises
    ------
    BadSiteName
        If it is no name of a site.
    """
    async with context.database.begin() as connection:
        return await store.find(connection, check_site(site))


async def get_room(context: Context, site: str, *, actor: str, may_make: bool = True) -> Room:
    """Return the room of a site, and make it if there is none.

    Raises
    ------
    BadSiteName
        If it is no name of a site.
    NoSuchRoom
        If there is none, and it may not be made.
    RoomsNotProvided, ProviderFailed, RoomSecretMissing
        If there is none that can be entered.
    """
    settings = context.settings.rooms
    room = await find_room(context, site)
    if room is not None and room.is_good(settings.provider, context.clock.now()):
        return room
    if not may_make and (room is None or room.provider != settings.provider):
        raise NoSuchRoom
    await _ask(context, Act.ENSURE, site, actor=actor)
    room = await find_room(context, site)
    if room is None:
        # Somebody else has just deleted it.
        raise ProviderFailed("The room was deleted while it was made.")
    return room


async def restart_room(context: Context, site: str, *, actor: str) -> None:
    """Make a new room for a site, which takes the place of the old one when it is ready.

    Raises
    ------
    BadSiteName, NoSuchRoom
        If there is no old one.
    RoomsNotProvided, ProviderFailed, RoomSecretMissing
        If there is no new one; the old one stays.
    """
    if await find_room(context, site) is None:
        raise NoSuchRoom
    await _ask(context, Act.RESTART, site, actor=actor)


async def delete_room(context: Context, site: str, *, actor: str) -> None:
    """Delete the room of a site.

    Raises
    ------
    BadSiteName, NoSuchRoom
        If there is none.
    RoomsNotProvided, ProviderFailed, RoomSecretMissing
        If the provider does not delete it; it stays.
    """
    if await find_room(context, site) is None:
        raise NoSuchRoom
    await _ask(context, Act.DELETE, site, actor=actor)


async def new_browser(context: Context, resolution: str, initial_url: str, *, actor: str) -> Reply:
    """Start a shared browser of its own, and return what the provider says.

    Raises
    ------
    BadBrowser
        If there is no such resolution, or the page is none.
    RoomsNotProvided, ProviderFailed, RoomSecretMissing
        If the provider says nothing that can be used.
    """
    if resolution not in list(Resolution):
        raise BadBrowser(f"The resolution should be one of {', '.join(Resolution)}.")
    if not _is_page(initial_url):
        raise BadBrowser(
            f"initial_url should be an address of http or https, of at most {MAX_URL} characters."
        )
    more = {"resolution": resolution, "initial_url": initial_url}
    value: Any = await _ask(context, Act.BROWSER, "", actor=actor, **more)
    return Reply(int(value["status"]), value["body"])


def _is_page(url: str) -> bool:
    if url == "about:blank":
        return True
    good = url.isascii() and url.isprintable() and " " not in url and len(url) <= MAX_URL
    return good and url.startswith(("https://", "http://"))


def order_of(act: Act, site: str, *, actor: str, **more: str) -> NewOrder:
    """Return the order for something; those of one site run one after another, and equal ones that wait are one.

    It is tried once: somebody waits, or it is queued again when the next look finds it due.
    """
    # Browsers are no rooms of sites, and wait for nobody.
    shared = act is not Act.BROWSER
    return NewOrder(
        kind=KIND,
        args={"act": str(act), "site": site, **more},
        key=f"{KIND}:site:{site}" if shared else None,
        unique_key=f"{KIND}:{act}:{site}" if shared else None,
        max_attempts=1,
        actor=actor,
        response_required=True,
    )


async def _ask(context: Context, act: Act, site: str, *, actor: str, **more: str) -> JsonValue:
    """Queue an order and return what it brought.

    Raises
    ------
    RoomsNotProvided
        If nobody would carry it out.
    ProviderFailed
        Or what else the order failed by.
    """
    settings = context.settings.rooms
    if settings.provider == "none":
        raise RoomsNotProvided
    async with context.database.begin() as connection:
        order = order_of(act, site, actor=actor, **more)
        (number,) = await submit(connection, [order], keyed_fifo=False)
    ended = await wait_for(context.database, context.signals, [number], settings.timeout_s + GRACE_S)
    if number not in ended:
        raise ProviderFailed("No worker has had an answer of the provider in time; it may come later.")
    response = ended[number].response
    if not response.ok:
        raise error_of(response.code, response.error)
    return response.value
