"""What is to be sent by itself: the feed of changes says of which files, and one order per file sees to it.

An order says no more than which file it is about. What is sent is what the catalog says when it is sent, so the
newest intent wins, and an order that comes twice finds nothing to do. That the server is away delays nothing here:
orders wait, and are tried again ever more rarely.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.changes.service import VERSIONS
from armillary.archive.cubes.service import CUBES
from armillary.archive.query.service import Offered, offered_files
from armillary.base.feed import consumers
from armillary.base.feed.errors import FeedCursorGone, UnknownConsumer
from armillary.base.feed.models import Entry, Page, Topic
from armillary.base.log import get_logger
from armillary.base.work import NO_LIMIT, Claim, NewOrder, Response, admin, overview, submit
from armillary.context import Context
from armillary.destinations import service as peers
from armillary.destinations.models import Peer, Sort
from armillary.errors import ArmillaryError
from armillary.publish.svo.errors import SvoAway, SvoNotConfigured
from armillary.publish.svo.secrets import base_url
from armillary.publish.svo.sending import send_file
from armillary.settings import SvoSettings

log = get_logger(__name__)
FOLLOW, SEND = "svo_follow", "svo_send"
CONSUMER: Final = "svo"
FOLLOWED = (VERSIONS, CUBES)
"""Topics of the feed that tell of files: what their bytes are, and what they are called."""
PEER: Final = "SVO"
"""Its name among destinations; names of destinations of files have no capitals."""
PORTION = 1000
FOLLOW_S = 10.0


@dataclass(frozen=True, slots=True)
class Outbox:
    """The observatory, if records are or were sent to it by themselves; what is to be sent, the oldest first."""

    peer: Peer | None
    waiting: int
    orders: Sequence[admin.OrderView]


async def register(context: Context) -> None:
    """Follow the changes of files from now on if they are published by themselves, else no longer."""
    settings = context.settings.svo
    async with context.database.begin() as connection:
        for topic in FOLLOWED:
            if settings.publish:
                await consumers.register(connection, topic, CONSUMER, from_now=True)
            else:
                await consumers.unregister(connection, topic, CONSUMER)
        await peers.register(connection, Sort.SVO, _peers(settings), alone=True)


def _peers(settings: SvoSettings) -> list[Peer]:
    try:
        return [Peer(PEER, base_url(settings), pattern="")] if settings.publish else []
    except SvoNotConfigured as error:
        # The orders tell, too; nothing else that the worker does depends on it.
        log.warning("svo not configured", error=error.message)
        return []


async def follow(context: Context, claims: Sequence[Claim]) -> None:
    """Queue the files that changed, in the transaction in which the feed is told so."""
    (claim,) = claims
    async with claim.completing() as connection:
        if not context.settings.svo.publish:
            return
        pages = [(topic, await _delivered(connection, topic)) for topic in FOLLOWED]
        files = {int(one.payload["file"]) for _, page in pages for one in page.entries}
        await submit(connection, [order_of(file) for file in sorted(files)], keyed_fifo=False)
        for topic, page in pages:
            if page.entries:
                await consumers.acknowledge(connection, topic, CONSUMER, page.cursor)
        if any(page.more for _, page in pages):
            await submit(connection, [NewOrder(kind=FOLLOW, args={}, unique_key=FOLLOW)], keyed_fifo=False)


async def _delivered(connection: AsyncConnection, topic: Topic) -> Page[Entry]:
    try:
        return await consumers.deliver(connection, topic, CONSUMER, PORTION)
    except (UnknownConsumer, FeedCursorGone):
        # A sync finds what was missed.
        log.warning("svo follows changes anew")
        await consumers.unregister(connection, topic, CONSUMER)
        await consumers.register(connection, topic, CONSUMER, from_now=True)
        return await consumers.deliver(connection, topic, CONSUMER, PORTION)


async def standing(connection: AsyncConnection, limit: int) -> Outbox:
    """Return how the observatory is, and the oldest orders that wait to tell it something."""
    found = await peers.every(connection, Sort.SVO)
    counted = await overview.counts(connection, [SEND])
    orders = await admin.waiting(connection, SEND, limit=limit)
    return Outbox(next(iter(found), None), counted.get(SEND, 0), orders)


def order_of(file_id: int) -> NewOrder:
    """Return the order that brings the record of a file up to date."""
    key = f"{SEND}:{file_id}"
    return NewOrder(
        kind=SEND, args={"file": file_id}, unique_key=key, max_attempts=NO_LIMIT, actor="armillary"
    )


def release_of(one: Offered) -> NewOrder | None:
    """Return the order that looks at a file again when its data become public, if that is to come."""
    if one.open or one.release is None:
        return None
    when = datetime.combine(one.release, time(), UTC)
    # A key of its own: orders of one key would wait behind this one until then.
    key = f"{SEND}:release:{one.version.file_id}"
    args = {"file": one.version.file_id}
    return NewOrder(
        kind=SEND, args=args, unique_key=key, not_before=when, max_attempts=NO_LIMIT, actor="armillary"
    )


async def send(context: Context, claims: Sequence[Claim]) -> None:
    """Bring the record of one file up to date, unless the server is left alone for the moment."""
    (claim,) = claims
    file_id = int(str(claim.order.args["file"]))
    async with context.database.begin() as connection:
        rest = await peers.resting(connection, PEER)
    if not context.settings.svo.publish:
        claim.complete(Response(value="not published any more"))
        return
    if rest is not None:
        claim.postpone(rest.left_s, f"The virtual observatory is left alone for a while: {rest.why}")
        return
    try:
        sent = await send_file(context, file_id)
    except SvoAway as error:
        await peers.leave_alone(context, PEER, _pause_s(context.settings.svo), error.message)
        await claim.fail(error)
    except ArmillaryError as error:
        await claim.fail(error)
    else:
        value: Any = sent
        async with claim.completing({claim.order.id: Response(value=value)}) as connection:
            await peers.mark_back(connection, PEER)
            await _schedule(context, connection, [file_id])


async def _schedule(context: Context, connection: AsyncConnection, file_ids: Collection[int]) -> None:
    """Queue another look at files on the days on which they become public."""
    today = context.clock.now().date()
    found = await offered_files(connection, file_ids, today=today)
    due = [order for one in found.values() if (order := release_of(one)) is not None]
    await submit(connection, due, keyed_fifo=False)


def _pause_s(settings: SvoSettings) -> float:
    return min(30.0, settings.retry_last_s)
