"""Merging as it goes: raw files are found by the feed of changes, and get each revision by an edit.

The edits are those that anybody may ask for, by the author "header service": history, undo and search know
nothing else. What was asked for before a crash is not asked for again, since each merge has a key.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Version
from armillary.archive.changes.service import VERSIONS
from armillary.base.database_errors import is_transient
from armillary.base.feed import consumers
from armillary.base.log import get_logger
from armillary.base.work import wait_for
from armillary.context import Context
from armillary.edits import service as edits
from armillary.edits.errors import ItemRefused
from armillary.edits.models import EditRequest, Origin, Refused, Target
from armillary.fits.header import Header as FileHeader
from armillary.fits.models import CardChange
from armillary.headers.delivery.models import HEADERS
from armillary.headers.delivery.reading import get, of_detector
from armillary.headers.errors import UnknownRevision
from armillary.headers.findings.service import check_file
from armillary.headers.merging import store
from armillary.headers.merging.names import fitting, names_of, told_by
from armillary.headers.merging.people import OURS, set_by_people
from armillary.headers.merging.store import Merged
from armillary.headers.merging.threeway import PRIMARY, Conflict, Merge, merge, plain
from armillary.headers.merging.waits import Waits
from armillary.headers.recipes.models import Recipe
from armillary.headers.render.models import Hdu, Header

log = get_logger(__name__)
AUTHOR = "header service"
PAGE, PORTION, PAUSE_S, EDIT_S = 500, 50, 2.0, 300.0
MOST_CARDS = 200
"""Cards of one request: sites may set the limit lower than what a header has."""


def consumer_of(instrument: str) -> str:
    """Return the name by which the service of an instrument follows the versions of files."""
    return f"merging of {instrument}"


async def follow(context: Context, instrument: str, recipe: Callable[[], Recipe | None]) -> None:
    """Merge headers into the raw files of an instrument, for ever; there may be no recipe for a while."""
    settings = context.settings.headers
    waits = Waits(settings.retry_first_s, settings.retry_last_s)
    async with context.database.begin() as connection:
        await consumers.register(connection, VERSIONS, consumer_of(instrument))
    async with (
        context.signals.subscribe(VERSIONS.channel) as versions,
        context.signals.subscribe(HEADERS.channel) as headers,
    ):
        while True:
            known = recipe()
            more = known is not None and await look(context, known)
            await merge_due(context, instrument, waits)
            if not more:
                waiting = [asyncio.create_task(one.wait(PAUSE_S)) for one in (versions, headers)]
                try:
                    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for one in waiting:
                        one.cancel()
                    await asyncio.gather(*waiting, return_exceptions=True)


async def look(context: Context, recipe: Recipe) -> bool:
    """Note the raw files among versions that are new; tell whether there are more."""
    name = consumer_of(recipe.instrument)
    async with context.database.begin() as connection:
        page = await consumers.deliver(connection, VERSIONS, name, PAGE)
        ids = {int(one.key) for one in page.entries if one.payload["kind"] in ("added", "changed")}
        versions = (await catalog.versions_by_id(connection, ids)).values()
        fresh = [one for one in versions if one.present and one.is_fits and one.origin not in OURS]
        if found := await _images_of(connection, recipe, fresh):
            await store.note(connection, recipe.instrument, found)
        if page.entries:
            await consumers.acknowledge(connection, VERSIONS, name, page.entries[-1].cursor)
    return page.more


async def _images_of(
    connection: AsyncConnection, recipe: Recipe, versions: Sequence[Version]
) -> list[tuple[int, str, str]]:
    """Return file, image id and detector of the versions that are raw images of an instrument."""
    named = {one.file_id: names_of(one.location.filename) for one in versions}
    said = {one.file_id: told for one in versions if (told := told_by(one.headers()))}
    wanted = {image for names in named.values() for image, _ in names} | {image for image, _ in said.values()}
    known = await store.known_images(connection, recipe.instrument, sorted(wanted)) if wanted else set()
    found = []
    for file, names in named.items():
        if file in said:
            names = [*names, said[file]]
        meant = next((one for one in names if one[0] in known), None)
        if meant := meant or fitting(names, recipe.image_id.pattern):
            found.append((file, *meant))
    return found


async def merge_due(context: Context, instrument: str, waits: Waits) -> int:
    """Merge what can be merged, and return into how many files; one that cannot be edited keeps waiting."""
    after, total = 0, 0
    while True:
        async with context.database.begin() as connection:
            due = await store.due(connection, instrument, after=after, limit=PORTION)
        if not due:
            return total
        after = due[-1].file
        for one in due:
            total += await _merge(context, one, waits)


async def _merge(context: Context, one: Merged, waits: Waits) -> bool:
    async with context.database.begin() as connection:
        versions = await catalog.present_of_files(connection, [one.file])
    if not versions or one.latest is None:
        return False
    version = versions[-1]
    mark = (version.id, one.latest)
    if not waits.over(one.file, mark):
        return False
    wanted = await _wanted(context, one, version)
    requests, kept = _requests(context, version, wanted)
    if wrong := await _ask(context, one, version, requests, waits.tries(one.file, mark)):
        first, pause_s = not waits.tries(one.file, mark), waits.failed(one.file, mark)
        if first:
            log.warning(
                "header not merged",
                file=version.name,
                image=one.image_id,
                revision=one.latest,
                error="; ".join(dict.fromkeys(wrong)),
                again_s=pause_s,
            )
        return False
    waits.done(one.file)
    await _done(context, one, version, wanted, kept)
    return True


async def _wanted(context: Context, one: Merged, version: Version) -> Merge:
    new = await get(context, one.instrument, one.image_id, one.latest)
    old = await get(context, one.instrument, one.image_id, one.revision) if one.revision else None
    base = _hdus(old, one.detector) if old else None
    people = await set_by_people(context, version, AUTHOR) if base is None else frozenset()
    return merge(_hdus(new, one.detector), base, version.headers(), new.volatile, people=people)


async def _done(
    context: Context, one: Merged, version: Version, wanted: Merge, kept: Sequence[Conflict]
) -> None:
    for name in wanted.absent:
        log.warning("HDU of a header is not in the file", file=version.name, hdu=name)
    for card in kept:
        log.warning("card not merged", file=version.name, hdu=card.hdu, keyword=card.key)
    conflicts = [*wanted.conflicts, *kept]
    found = await _checked(context, one.file)
    async with context.database.begin() as connection:
        await store.done(connection, one.file, one.latest or 0, conflicts)
    log.info(
        "header merged",
        file=version.name,
        image=one.image_id,
        revision=one.latest,
        conflicts=len(conflicts),
        findings=found,
    )


async def _checked(context: Context, file: int) -> int:
    """Let the rules judge a file with its header, and return how much they find: it is listed with its frame."""
    try:
        return len(await check_file(context, file))
    except Exception as error:
        # A rule that stumbles must not stop the merging.
        if is_transient(error):
            raise
        log.exception("merged file not checked", file=file)
        return 0


def _hdus(header: Header, detector: str) -> list[Hdu]:
    """Return the HDUs of the file of a detector; where it has none in the header, those of the whole image."""
    if detector:
        with contextlib.suppress(UnknownRevision):
            return of_detector(header, detector).hdus
    return header.hdus


def _requests(
    context: Context, version: Version, wanted: Merge
) -> tuple[list[EditRequest | Refused], list[Conflict]]:
    """Return the edits that a merge consists of, and the cards that nobody may set at this site.

    Each edit says how its cards are now: what somebody else sets before it is carried out is not overwritten, but
    merged anew.
    """
    rules, target = edits.rules_of(context.settings.edits), Target(version.name, file_id=version.file_id)
    most = min(MOST_CARDS, rules.max_cards)
    requests: list[EditRequest | Refused] = []
    kept: list[Conflict] = []
    headers = version.headers()
    for at, changes in wanted.changes.items():
        header = FileHeader(headers[at])
        allowed: list[CardChange] = []
        for change in changes:
            # Judged one by one: a request is refused as a whole, and the other cards are right.
            try:
                edits.checked(EditRequest(target=target, extension=at, cards=(change,)), rules)
            except ItemRefused:
                ours = plain(header.get(change.keyword))
                name = version.hdus[at].name or PRIMARY
                kept.append(Conflict(name, change.keyword, ours, plain(change.value), "file"))
            else:
                allowed.append(change)
        for start in range(0, len(allowed), most):
            cards = tuple(allowed[start : start + most])
            now = edits.states_of(header, [card.keyword for card in cards])
            requests.append(EditRequest(target=target, extension=at, cards=cards, if_cards=now))
    return requests, kept


async def _ask(
    context: Context,
    one: Merged,
    version: Version,
    requests: Sequence[EditRequest | Refused],
    tries: int,
) -> list[str]:
    """Have edits made; return why they have not been, if they have not. The file waits then."""
    if not requests:
        return []
    why = f"header of {one.image_id}, revision {one.latest}"
    told = f"{one.file} {version.id} {one.instrument} {one.image_id} {one.revision} {one.latest}"
    origin = Origin(AUTHOR, why=why)
    done = await edits.submit_edits(context, requests, origin, key=_key(told))
    if tries and not done.order_ids:
        # A key remembers refusals, too, and what was in the way may be so no more.
        done = await edits.submit_edits(context, requests, origin, key=_key(f"{told} {tries}"))
    wrong = [answer.error.message for answer in done.answers if isinstance(answer, Refused)]
    ended = await wait_for(context.database, context.signals, done.order_ids, EDIT_S)
    wrong += [outcome.response.error or "" for outcome in ended.values() if not outcome.response.ok]
    return wrong if len(ended) == len(done.order_ids) else [*wrong, "no worker has carried the edits out"]


def _key(told: str) -> edits.Key:
    return edits.Key(f"merge {told}", hashlib.sha256(told.encode()).digest())
