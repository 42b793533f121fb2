"""Plans: which bytes of a file change when headers do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from armillary.fits.errors import PlanMismatch
from armillary.fits.models import BLOCK, EditPlan, Hdu, Layout, Splice


def plan_headers(layout: Layout, new_headers: Mapping[int, bytes]) -> EditPlan:
    """Return the plan that gives HDUs new headers, by index; equal headers add nothing.

    A header of the same size changes only in the 2880-byte blocks that differ. One of another size is
    spliced from its first differing block on, and the bytes behind it move.

    Raises
    ------
    PlanMismatch
        If a new header is not made of whole blocks.
    IndexError
        If there is no such HDU.
    """
    splices: list[Splice] = []
    for index in sorted(new_headers):
        new, old = new_headers[index], layout.headers[index]
        if not new or len(new) % BLOCK:
            raise PlanMismatch(
                f"The new header of HDU {index} has {len(new)} bytes, not whole blocks of {BLOCK}"
            )
        splices.extend(_splices(layout.hdus[index].header_offset, old, new))
    return EditPlan(tuple(splices), layout.size)


def _splices(offset: int, old: bytes, new: bytes) -> Iterator[Splice]:
    blocks = range(0, min(len(old), len(new)), BLOCK)
    changed = [at for at in blocks if old[at : at + BLOCK] != new[at : at + BLOCK]]
    if len(old) != len(new):
        first = changed[0] if changed else min(len(old), len(new))
        yield Splice(offset + first, old[first:], new[first:])
        return
    for first, stop in _runs(changed):
        yield Splice(offset + first, old[first:stop], new[first:stop])


def _runs(changed: list[int]) -> Iterator[tuple[int, int]]:
    """Merge adjacent blocks."""
    first = stop = -1
    for at in changed:
        if at != stop:
            if stop >= 0:
                yield first, stop
            first = at
        stop = at + BLOCK
    if stop >= 0:
        yield first, stop


def relayout(layout: Layout, new_headers: Mapping[int, bytes]) -> Layout:
    """Return the layout of the file with new headers in place: offsets and sizes follow."""
    hdus: list[Hdu] = []
    moved = 0
    headers = tuple(new_headers.get(i, header) for i, header in enumerate(layout.headers))
    for hdu, header in zip(layout.hdus, headers, strict=True):
        hdus.append(replace(hdu, header_offset=hdu.header_offset + moved, header_size=len(header)))
        moved += len(header) - hdu.header_size
    return replace(layout, hdus=tuple(hdus), headers=headers, size=layout.size + moved)


def apply_plan(data: bytes, plan: EditPlan) -> bytes:
    """Carry a plan out on the bytes of a file in memory.

    Raises
    ------
    PlanMismatch
        If the bytes are not those that the plan was made for.
    """
    if len(data) != plan.size_before:
        raise PlanMismatch(f"The plan is for {plan.size_before} bytes, here are {len(data)}")
    pieces, at = [], 0
    for splice in plan.splices:
        stop = splice.offset + len(splice.old)
        if data[splice.offset : stop] != splice.old:
            raise PlanMismatch(f"The bytes from {splice.offset} to {stop} are not those planned for")
        pieces += [data[at : splice.offset], splice.new]
        at = stop
    return b"".join((*pieces, data[at:]))
