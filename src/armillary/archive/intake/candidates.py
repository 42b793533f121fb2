"""Files on their way into the catalog, one by one: what is known of each, and what keeps it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from armillary.archive.catalog import file_store, store
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Location, Root
from armillary.archive.errors import SameFileTwice
from armillary.archive.intake import presence
from armillary.archive.intake.looks import Candidate, shown, two_containers
from armillary.base.store import ObjectStore
from armillary.base.work import Claim
from armillary.context import Context
from armillary.errors import ArmillaryError
from armillary.fits.containers import logical_name


async def note_moves(context: Context, candidates: Sequence[Candidate]) -> None:
    """Find out which places of the catalog the files have left."""
    arrived = [c for c in candidates if c.stored and not c.error]
    arrivals = [_arrival_of(c, c.stored.identity) for c in arrived if c.stored]
    if not arrivals:
        return
    async with context.database.look() as connection:
        roots = {root.id: root for root in await store.list_roots(connection)}
    moved = await presence.moved_from(context, roots, arrivals)
    gone = {place.version_id for place in moved.values()}
    for one, left in zip(arrived, await presence.left_behind(context, roots, arrivals), strict=True):
        one.left, one.moved = [number for number in left if number not in gone], moved.get(one.location)
        if one.known and one.known.id in gone and one.new:
            # What lies where a file was that has moved is another file.
            one.new = replace(one.new, previous_id=None)


def _arrival_of(candidate: Candidate, identity: str) -> presence.Arrival:
    known = candidate.bytes
    return presence.Arrival(
        candidate.name,
        identity,
        candidate.location,
        size=known.size if known else 0,
        crc=known.crc if known else None,
        is_new=candidate.known is None,
    )


async def candidates_of(context: Context, claims: Sequence[Claim]) -> list[Candidate]:
    places = [_location(claim) for claim in claims]
    async with context.database.look() as connection:
        roots = {root.id: root for root in await store.list_roots(connection)}
        keys = [(place.root_id, place.path, logical_name(place.filename)) for place in places]
        known = await file_store.present_at(connection, keys)
    opened = {number: _opened(context, roots[number]) for number in {place.root_id for place in places}}
    candidates, now = [], context.clock.now()
    for claim, place, key in zip(claims, places, keys, strict=True):
        root, bytes_of = roots[place.root_id], opened[place.root_id]
        if isinstance(bytes_of, ArmillaryError):
            # The files of other roots go on.
            await claim.fail(bytes_of)
            continue
        args = dict(claim.order.args)
        one = Candidate(claim, root, bytes_of, place, known.get(key), now, args=args)
        one.quiet_s = context.settings.archive.quiet_s
        candidates.append(one)
    return candidates


def _opened(context: Context, root: Root) -> ObjectStore | ArmillaryError:
    try:
        return catalog.store_of(context, root)
    except ArmillaryError as error:
        return error


def _location(claim: Claim) -> Location:
    args: Any = claim.order.args
    return Location(int(args["root_id"]), str(args["path"]), str(args["filename"]))


async def refuse_twins(context: Context, candidates: Sequence[Candidate]) -> None:
    """Refuse a second name of a file: an edit under one name would change the other unseen."""
    fresh = [c for c in candidates if c.stored and c.bytes and not c.error and not c.skipped]
    async with context.database.look() as connection:
        twins = await store.present_twins(connection, [c.stored.identity for c in fresh if c.stored])
    seen: dict[str, Location] = {}
    taken: dict[tuple[int, str, str], Location] = {}
    for one in fresh:
        place = (one.location.root_id, one.location.path, one.name)
        if first := taken.get(place):
            one.error = two_containers(one, first.filename)
            continue
        taken[place] = one.location
        identity = one.stored.identity if one.stored else ""
        others = [place for place in twins.get(identity, []) if place.file_key != one.location.file_key]
        others = [place for place in others if await _is_same_file(context, one, place)]
        if identity in seen:
            others.append(seen[identity])
        if others:
            one.error = SameFileTwice(
                f"{shown(one)} is another name of {others[0].key}: one file on disk; remove one of the names."
            )
        else:
            seen[identity] = one.location


async def _is_same_file(context: Context, one: Candidate, place: Location) -> bool:
    """Tell whether a recorded place still leads to the same file: inode numbers are used again."""
    async with context.database.begin() as connection:
        roots = {root.id: root for root in await store.list_roots(connection)}
    try:
        other = await catalog.store_of(context, roots[place.root_id]).head(place.key)
    except ArmillaryError:
        return False
    return one.stored is not None and other.identity == one.stored.identity
