"""Keep copies of vocabularies: read again when they are due, kept when their source is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.cubes.models import REFRESH
from armillary.archive.cubes.words import store
from armillary.archive.cubes.words.source import (
    Reply,
    VocabularyUnreadable,
    is_remote,
    read_source,
)
from armillary.archive.cubes.words.store import Copy
from armillary.archive.cubes.words.vocabularies import Vocabulary, terms_of
from armillary.base.log import get_logger
from armillary.base.work import Claim, Response
from armillary.base.work.periods import Period
from armillary.context import Context
from armillary.settings import SstSettings

log = get_logger(__name__)
AGAIN_S = 60.0
"""How long a source that could not be read is left alone, at most."""
Retagging = Callable[[AsyncConnection], Awaitable[object]]
"""Queues the cubes whose tags were found by other vocabularies, in the transaction that changes one."""


async def no_retagging(connection: AsyncConnection) -> None:
    """Leave cubes as they are: nobody has told `refresh` how they are queued."""


async def current(connection: AsyncConnection, name: str) -> Vocabulary | None:
    """Return the copy of a vocabulary, however old; None if it could never be read."""
    copy = (await store.find(connection, [name])).get(name)
    return copy.vocabulary if copy else None


async def configured(connection: AsyncConnection, settings: SstSettings) -> dict[str, Vocabulary | None]:
    """Return the copies of all vocabularies that are configured, by their names; None is not there yet."""
    copies = await store.find(connection, settings.vocabularies)
    return {name: copies[name].vocabulary if name in copies else None for name in settings.vocabularies}


async def refresh(
    context: Context, *, retagging: Retagging = no_retagging, now: bool = False
) -> dict[str, str]:
    """Read the vocabularies that are due, or all of them ``now``; return what became of each by its name.

    No transaction is open while a source is read. A file is always due, a server when the time of the setting has
    passed, or when nothing is known of it; after a failure sooner, but not at once. It is to be called before tags
    are found, so that a command without workers has vocabularies, too; mostly it is one look into the database.
    """
    settings = context.settings.sst
    if not settings.vocabularies:
        return {}
    async with context.database.begin() as connection:
        copies = await store.find(connection, settings.vocabularies)
    due: Mapping[str, str] = {
        name: source
        for name, source in settings.vocabularies.items()
        if now or is_due(copies.get(name), source, settings.vocabulary_refresh_s)
    }
    found = await asyncio.gather(
        *(_renew(context, name, source, copies.get(name), retagging) for name, source in due.items())
    )
    return dict(zip(due, found, strict=True))


def is_due(copy: Copy | None, source: str, every_s: float) -> bool:
    """Tell whether a source should be read."""
    if copy is None or not is_remote(source):
        return True
    if copy.error is not None:
        return copy.age_s >= min(AGAIN_S, every_s)
    return copy.source != source or copy.age_s >= every_s


async def _renew(context: Context, name: str, source: str, copy: Copy | None, retagging: Retagging) -> str:
    """Read a source, and record what came of it; return that in a word."""
    known = copy if copy and copy.source == source and copy.terms is not None else None
    try:
        reply = await read_source(
            source,
            timeout_s=context.settings.sst.vocabulary_timeout_s,
            etag=known.etag if known else None,
            modified=known.modified if known else None,
        )
        vocabulary = Vocabulary.of_terms(name, terms_of(reply.content)) if reply else None
    except (VocabularyUnreadable, ValueError) as error:
        return await _failed(context, name, source, str(error), copy)
    return await _record(context, source, name, copy, reply, vocabulary, retagging)


async def _record(
    context: Context,
    source: str,
    name: str,
    copy: Copy | None,
    reply: Reply | None,
    vocabulary: Vocabulary | None,
    retagging: Retagging,
) -> str:
    changed = vocabulary is not None and (copy is None or copy.digest != vocabulary.digest)
    if not changed and copy and copy.error is None and copy.source == source and not is_remote(source):
        # A file is read for each cube: what is the same is not written again.
        return "same"
    async with context.database.begin() as connection:
        if reply is None or vocabulary is None:
            await store.checked(connection, name, source)
        else:
            await store.put(connection, source, vocabulary, etag=reply.etag, modified=reply.modified)
        if changed:
            await retagging(connection)
    if changed:
        log.info("vocabulary changed", vocabulary=name, source=source)
    return "changed" if changed else "same"


async def _failed(context: Context, name: str, source: str, error: str, copy: Copy | None) -> str:
    log.warning("vocabulary unreadable", vocabulary=name, source=source, error=error)
    async with context.database.begin() as connection:
        await store.failed(connection, name, source, error)
    return "stale" if copy and copy.terms is not None else "unknown"


async def refresh_vocabularies(
    context: Context, claims: Sequence[Claim], *, retagging: Retagging = no_retagging
) -> None:
    """Read all vocabularies, as a work order that is due again and again."""
    (claim,) = claims
    claim.complete(Response(value=await refresh(context, retagging=retagging, now=True)))


def periods_of(settings: SstSettings) -> tuple[Period, ...]:
    """Return when vocabularies are due, if there are any."""
    return (Period(REFRESH, settings.vocabulary_refresh_s),) if settings.vocabularies else ()
