"""Find the header updates that turn what a destination has into what is here, if there are any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from armillary.archive.catalog.models import Version
from armillary.edits.history.service import History
from armillary.edits.models import EditRequest, Outcome, Target, last_settings
from armillary.edits.service import Rules, apply_request, checked
from armillary.errors import ArmillaryError
from armillary.exports.models import HeaderUpdate
from armillary.fits.models import CardChange
from armillary.fits.texts import keep_text

MOST_STEPS = 64


def header_updates(past: History, current: Version, md5_there: str) -> tuple[HeaderUpdate, ...]:
    """Return updates that lead from the content with that digest to the current version; none if there are none.

    Pending edits are merged into one update as far as the outcome stays the same to the byte: all of them if
    that is possible, else as many at a time as are.
    """
    chain = _chain(past, current, md5_there)
    updates: list[HeaderUpdate] = []
    at = 0
    while at < len(chain) - 1:
        reached = _furthest(past, chain, at)
        if reached is None:
            return ()
        at, update = reached
        updates.append(update)
    return tuple(updates)


def _chain(past: History, current: Version, md5_there: str) -> list[Version]:
    """Return the versions from the one that the destination has to the current one, oldest first."""
    known = {version.id: version for version in past.versions}
    chain = [current]
    while chain[-1].data_md5 != md5_there:
        earlier = known.get(chain[-1].previous_id or 0)
        if earlier is None or len(chain) > MOST_STEPS:
            return []
        chain.append(earlier)
    return chain[::-1]


def _furthest(past: History, chain: Sequence[Version], at: int) -> tuple[int, HeaderUpdate] | None:
    for reach in range(len(chain) - 1, at, -1):
        between = {version.id for version in chain[at + 1 : reach + 1]}
        cards = [card for edit in past.edits if _made(edit, between) for card in edit.cards]
        if update := _update(chain[at], chain[reach], cards):
            return reach, update
    return None


def _made(edit: Any, versions: set[int]) -> bool:
    return edit.outcome == Outcome.CHANGED and edit.version_after in versions


def _update(before: Version, after: Version, cards: Sequence[Mapping[str, Any]]) -> HeaderUpdate | None:
    """Return one update between two versions, if carrying it out here gives the very same headers.

    An edit is a pure rule of the bytes, so what it gives here it gives there.
    """
    extensions = {int(card["extension"]) for card in cards}
    if len(extensions) != 1 or not before.data_md5 or not after.data_md5 or _data(before) != _data(after):
        return None
    (extension,) = extensions
    as_it_is = [[card["keyword"], card["new"]] for card in cards]
    # Quotes keep a text that says a number; servers of before would take them as part of it.
    as_text = [[key, keep_text(new) if isinstance(new, str) else new] for key, new in as_it_is]
    for pairs in (as_it_is, as_text) if as_text != as_it_is else (as_it_is,):
        if request := _tried(before, after, extension, pairs):
            final = tuple((change.keyword, change.value) for change in last_settings(request.cards))
            return HeaderUpdate(extension, final, before.data_md5, after.data_md5)
    return None


def _tried(before: Version, after: Version, extension: int, pairs: Sequence[Any]) -> EditRequest | None:
    """Return the request for these cards if it leads from one version to the other."""
    try:
        cards = tuple(CardChange(key, value) for key, value in pairs)
        wanted = EditRequest(target=Target(before.name), extension=extension, cards=cards)
        request = checked(wanted, Rules(hierarch=False))
        layout, _ = apply_request(before.layout(), request, partial(_data_sum, before))
    except (ArmillaryError, LookupError):
        return None
    return request if layout.headers == after.headers() else None


def _data_sum(version: Version, index: int) -> int:
    known = version.hdus[index].data_sum
    if known is None:
        raise LookupError("only the data tell what would become of CHECKSUM there")
    return known


def _data(version: Version) -> tuple[object, ...]:
    sums = tuple((hdu.data_size, hdu.data_crc) for hdu in version.hdus)
    return sums, version.trailing, version.trailing_crc
