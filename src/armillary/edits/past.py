"""The earlier states of a stored file: which of them headers belong to, and the way back to its very bytes."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence

from armillary.archive.catalog.models import Version
from armillary.fits.containers import Container
from armillary.fits.restore import same_cards

_Bytes = tuple[int, int]


def state_with(
    headers: Sequence[bytes], versions: Sequence[Version], *, now: Version, rather: Version
) -> Version | None:
    """Return the version of a stored file that has these cards and the data of now, None if there was none.

    Edits that landed together leave no version between them, so the state before them comes back when the
    last of them is taken back, in whatever order that happens. ``rather`` is the version to return if
    several fit; else it is the latest.
    """
    candidates = [rather, *sorted(versions, key=lambda one: one.id, reverse=True)]
    return next((one for one in candidates if _fits(one, headers, now)), None)


def _fits(one: Version, headers: Sequence[bytes], now: Version) -> bool:
    if one.location != now.location or one.container != now.container or not one.is_whole:
        return False
    known = one.headers()
    return _data_of(one) == _data_of(now) and all(
        same_cards(old, new) for old, new in zip(known, headers, strict=True)
    )


def _data_of(one: Version) -> tuple[object, ...]:
    return [(hdu.data_size, hdu.data_crc) for hdu in one.hdus], one.trailing, one.trailing_crc


def way_back(versions: Sequence[Version], now: Version, goal: Version) -> list[str] | None:
    """Return the names of the undo recipes from the stored bytes of one version to those of another.

    Every recipe leads to the bytes of the version before. Versions may share bytes, for instance one that a
    revert made with one that was edited; so the way is the shortest one through states of bytes. None if no
    recipes lead there.
    """
    steps = list(_steps(versions))
    if now.container == Container.GZ:
        # Each of these recipes holds the whole file of before, whatever came after it.
        return next((names[-1:] for _, names, there in steps if there == _bytes_of(goal)), None)
    onward = defaultdict[_Bytes, list[tuple[list[str], _Bytes]]](list)
    for here, names, there in steps:
        onward[here].append((names, there))
    ways: dict[_Bytes, list[str]] = {_bytes_of(now): []}
    waiting = deque(ways)
    while waiting:
        at = waiting.popleft()
        for names, there in onward[at]:
            if there not in ways:
                ways[there] = ways[at] + names
                waiting.append(there)
    return ways.get(_bytes_of(goal))


def _steps(versions: Sequence[Version]) -> Iterator[tuple[_Bytes, list[str], _Bytes]]:
    """Yield what recipes lead from which bytes to which."""
    by_id = {one.id: one for one in versions}
    for one in versions:
        if one.undo and one.previous_id in by_id:
            yield _bytes_of(one), one.undo.split(","), _bytes_of(by_id[one.previous_id])


def _bytes_of(one: Version) -> _Bytes:
    return one.file_size, one.file_crc
