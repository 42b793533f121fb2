"""An edit of bzip2 data gives the edited content, in one stream, and can be undone to the byte."""

from __future__ import annotations

import bz2

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from armillary.fits.bzip2 import Grain, decode_chunks, find_blocks, retrace, splice, unsplice
from armillary.fits.container_errors import DamagedContainer
from armillary.fits.errors import PlanMismatch
from armillary.fits.models import EditPlan, Splice
from armillary.fits.plan import apply_plan
from tests.support.bzip2_forgery import with_a_misleading_crc, with_hidden_bits

USUAL = Grain()
NOISE = np.random.default_rng(11).bytes(330_000)
WHOLE_BLOCK = np.random.default_rng(12).bytes(899_000)
TEXT = b"".join(b"%d bottles of mercury on the wall; " % n for n in range(300))


def a_plan(content: bytes, *changes: tuple[int, int, bytes]) -> EditPlan:
    """Replace at each offset so many bytes by others."""
    splices = tuple(Splice(offset, content[offset : offset + size], new) for offset, size, new in changes)
    return EditPlan(splices, len(content))


@st.composite
def edits(draw: st.DrawFn) -> tuple[bytes, bytes, EditPlan]:
    """Return stored bytes of several streams, their content, and a plan anywhere in it."""
    parts = draw(st.lists(st.binary(max_size=300), min_size=1, max_size=6))
    levels = draw(st.lists(st.integers(1, 9), min_size=len(parts), max_size=len(parts)))
    content = b"".join(parts)
    cuts = sorted(draw(st.lists(st.integers(0, len(content)), max_size=6)))
    pairs = zip(cuts[::2], cuts[1::2], strict=False)
    changes = [(a, b - a, draw(st.binary(max_size=400))) for a, b in pairs]
    stored = b"".join(bz2.compress(part, level) for part, level in zip(parts, levels, strict=True))
    return stored, content, a_plan(content, *changes)


@settings(max_examples=200)
@given(edits())
def test_a_splice_is_the_edit_of_the_content(edit: tuple[bytes, bytes, EditPlan]) -> None:
    assert_spliced(*edit)


@settings(max_examples=200)
@given(edits(), st.integers(1, 40), st.integers(1, 80))
def test_wherever_blocks_are_cut_the_content_is_the_same(
    edit: tuple[bytes, bytes, EditPlan], cell: int, apart: int
) -> None:
    assert_spliced(*edit, Grain(cell, apart))


def assert_spliced(stored: bytes, content: bytes, plan: EditPlan, grain: Grain = USUAL) -> None:
    spliced = splice(stored, plan, grain=grain)
    assert not spliced.recompressed
    decoder = bz2.BZ2Decompressor()
    assert decoder.decompress(bytes(spliced.data)) == apply_plan(content, plan)
    assert decoder.eof
    assert not decoder.unused_data, "the output must be a single stream"
    assert bytes(spliced.data[:4]) == b"BZh%d" % max(stream.level for stream in find_blocks(stored))
    assert unsplice(spliced.data, spliced.undo) == stored


@pytest.mark.parametrize(
    ("change", "encoded"),
    [
        ((0, 2880, b"h" * 2880), 1),
        ((0, 2880, NOISE[:5760]), 2),
        ((0, 5760, b""), 1),
        ((99_000, 2000, NOISE[7:2007]), 2),
        ((150_000, 6, b"middle"), 1),
        ((320_000, 10_000, b"end"), 1),
        ((330_000, 0, b"appended"), 1),
        ((0, 330_000, b""), 0),
        ((0, 330_000, b"everything"), 1),
    ],
    ids=["replace", "grow", "shrink", "border", "middle", "end", "append", "empty", "all"],
)
def test_only_the_blocks_under_a_change_are_encoded(change: tuple[int, int, bytes], encoded: int) -> None:
    stored = bz2.compress(NOISE, 1)
    plan = a_plan(NOISE, change)
    spliced = splice(stored, plan)
    assert spliced.blocks_encoded == encoded
    assert not spliced.recompressed
    assert bz2.decompress(spliced.data) == apply_plan(NOISE, plan)
    assert unsplice(spliced.data, spliced.undo) == stored


def test_changes_far_apart_leave_the_blocks_between_alone() -> None:
    plan = a_plan(NOISE, (80, 80, b"x" * 80), (250_000, 2880, b"y" * 2880))
    stored = bz2.compress(NOISE, 1)
    spliced = splice(stored, plan)
    assert spliced.blocks_encoded == 2
    assert bz2.decompress(spliced.data) == apply_plan(NOISE, plan)
    assert len(spliced.undo) < 0.7 * len(stored)


SMALL_BLOCK, SMALL = NOISE[:98_000], Grain(7168, 14_336)
"""A whole block of the lowest level, and a grain that stands to it as the usual one to the largest block."""


@pytest.mark.parametrize(
    ("content", "grain", "change", "first", "again"),
    [
        (WHOLE_BLOCK, USUAL, (400_000, 2880, b"m" * 2880), 3, 1),
        (SMALL_BLOCK, SMALL, (0, 320, b"h" * 320), 2, 1),
        (SMALL_BLOCK, SMALL, (0, 320, b"h" * 960), 2, 1),
        (SMALL_BLOCK, SMALL, (44_000, 320, b"m" * 320), 3, 1),
        (SMALL_BLOCK, SMALL, (97_600, 320, b"t" * 320), 2, 1),
        (SMALL_BLOCK, SMALL, (6600, 1320, b"w" * 1320), 2, 1),
    ],
    ids=["usual", "head", "growth", "middle", "tail", "wide"],
)
def test_what_changed_once_lies_in_a_small_block_of_its_own(
    content: bytes, grain: Grain, change: tuple[int, int, bytes], first: int, again: int
) -> None:
    """The second edit of a header costs its own size, and so does the recipe that undoes it."""
    stored = bz2.compress(content, 9 if grain is USUAL else 1)
    plan = a_plan(content, change)
    once = splice(stored, plan, grain=grain)
    assert (once.blocks_encoded, once.recompressed) == (first, False)
    content = apply_plan(content, plan)
    offset, _, new = change
    plan = a_plan(content, (offset, len(new), b"again" + new[5:]))
    twice = splice(once.data, plan, grain=grain)
    assert (twice.blocks_encoded, twice.recompressed) == (again, False)
    assert len(twice.undo) < len(once.undo) / 6
    assert bz2.decompress(twice.data) == apply_plan(content, plan)
    assert unsplice(twice.data, twice.undo) == once.data
    assert unsplice(once.data, once.undo) == stored


def test_changes_all_over_a_block_leave_every_piece_readable() -> None:
    content = SMALL_BLOCK
    changes = [(at, 80, b"c" * (60 + at % 50)) for at in range(0, len(content), 6007)]
    plan = a_plan(content, *changes)
    stored = bz2.compress(content, 1)
    spliced = splice(stored, plan, grain=SMALL)
    assert not spliced.recompressed
    assert bz2.decompress(spliced.data) == apply_plan(content, plan)
    assert unsplice(spliced.data, spliced.undo) == stored


def test_the_recipe_to_undo_is_as_large_as_what_was_replaced() -> None:
    stored = bz2.compress(NOISE, 1)
    undo = splice(stored, a_plan(NOISE, (0, 80, b"x" * 80))).undo
    first = find_blocks(stored)[0].blocks[0]
    assert len(undo) < (first.stop - first.start) / 8 + 200


def test_a_chain_of_edits_is_undone_one_by_one() -> None:
    stored, content, undos = bz2.compress(TEXT, 3) + bz2.compress(TEXT), TEXT * 2, []
    for n in range(5):
        plan = a_plan(content, (n * 100, 50, b"edit %d " % n * 9))
        spliced = splice(stored, plan)
        undos.append((stored, spliced.undo))
        stored, content = bytes(spliced.data), apply_plan(content, plan)
    assert bz2.decompress(stored) == content
    for before, undo in reversed(undos):
        stored = unsplice(stored, undo)
        assert stored == before


@settings(max_examples=60)
@given(edits(), st.lists(st.tuples(st.integers(0, 1999), st.binary(max_size=40)), min_size=1, max_size=4))
def test_several_steps_back_are_one_step_forth(
    edit: tuple[bytes, bytes, EditPlan], later: list[tuple[int, bytes]]
) -> None:
    stored, content, plan = edit
    spliced = splice(stored, plan)
    states, undos, content = [stored, bytes(spliced.data)], [spliced.undo], apply_plan(content, plan)
    for offset, new in later:
        plan = a_plan(
            content, (min(offset, len(content)), min(20, len(content) - min(offset, len(content))), new)
        )
        spliced = splice(states[-1], plan)
        states.append(bytes(spliced.data))
        undos.append(spliced.undo)
        content = apply_plan(content, plan)
    for steps in range(1, len(undos) + 1):
        back, forth = retrace(states[-1], undos[: -steps - 1 : -1])
        assert back == states[-1 - steps]
        assert unsplice(back, forth) == states[-1]


def test_the_step_forth_holds_no_blocks_that_both_ends_have() -> None:
    states, undos, content = [bz2.compress(NOISE, 1)], list[bytes](), NOISE
    for n in range(5):
        plan = a_plan(content, (80 * n, 80, b"%80d" % n))
        spliced = splice(states[-1], plan)
        states.append(bytes(spliced.data))
        undos.append(spliced.undo)
        content = apply_plan(content, plan)
    back, forth = retrace(states[-1], undos[::-1])
    assert back == states[0]
    first = find_blocks(states[-1])[0].blocks[0]
    assert len(forth) < (first.stop - first.start) / 8 + 200


def test_undo_refuses_bytes_that_changed_since() -> None:
    spliced = splice(bz2.compress(TEXT), a_plan(TEXT, (0, 5, b"other")))
    with pytest.raises(PlanMismatch):
        unsplice(bz2.compress(TEXT), spliced.undo)


def test_undo_refuses_a_damaged_recipe() -> None:
    spliced = splice(bz2.compress(TEXT), a_plan(TEXT, (0, 5, b"other")))
    for at in (0, 100, len(spliced.undo) // 2):
        recipe = bytearray(spliced.undo)
        recipe[at] ^= 1
        with pytest.raises(DamagedContainer):
            unsplice(spliced.data, bytes(recipe))
    with pytest.raises(DamagedContainer):
        unsplice(spliced.data, spliced.undo[:-3])


def test_a_plan_for_other_bytes_is_refused() -> None:
    with pytest.raises(PlanMismatch, match="changed since"):
        splice(bz2.compress(TEXT), EditPlan((Splice(10, b"not there", b""),), len(TEXT)))


@pytest.mark.parametrize("offset", [len(TEXT), len(TEXT) + 1, len(TEXT) - 2])
def test_a_plan_beyond_the_end_is_refused(offset: int) -> None:
    with pytest.raises(PlanMismatch):
        splice(bz2.compress(TEXT), EditPlan((Splice(offset, b"bytes beyond", b""),), len(TEXT) + 20))


def test_a_plan_inserts_into_nothing() -> None:
    spliced = splice(bz2.compress(b""), EditPlan((Splice(0, b"", b"new"),), 0))
    assert bz2.decompress(spliced.data) == b"new"
    assert unsplice(spliced.data, spliced.undo) == bz2.compress(b"")


def test_zeros_behind_the_old_data_come_back_with_an_undo() -> None:
    content = bytes(range(256)) * 40
    padded = bz2.compress(content) + bytes(10_240)
    spliced = splice(padded, a_plan(content, (80, 5, b"other")))
    assert bz2.decompress(bytes(spliced.data)) == content[:80] + b"other" + content[85:]
    assert unsplice(spliced.data, spliced.undo) == padded


def test_chance_markers_do_not_mislead() -> None:
    stored = with_hidden_bits(TEXT, 0x314159265359, 53) + with_hidden_bits(TEXT, 0x177245385090, 50)
    plan = a_plan(TEXT * 2, (5, 5, b"first"))
    spliced = splice(stored, plan)
    assert (spliced.blocks_encoded, spliced.recompressed) == (1, False)
    assert bz2.decompress(spliced.data) == apply_plan(TEXT * 2, plan)
    assert unsplice(spliced.data, spliced.undo) == stored


def test_a_failed_check_recompresses_everything() -> None:
    stored = with_a_misleading_crc(TEXT)
    content = bz2.decompress(stored)
    assert len(find_blocks(stored)[0].blocks) == 2, "the forgery must deceive"
    plan = a_plan(content, (5, 5, b"first"))
    spliced = splice(stored, plan)
    assert spliced.recompressed
    assert bz2.decompress(spliced.data) == apply_plan(content, plan)
    assert unsplice(spliced.data, spliced.undo) == stored


@settings(max_examples=60)
@example(0)
@example(7)
@given(st.integers(0, len(bz2.compress(TEXT)) * 8 - 1))
def test_damage_is_never_blessed(bit: int) -> None:
    whole = TEXT[:2000] + TEXT
    stored = bytearray(bz2.compress(TEXT[:2000]) + bz2.compress(TEXT))
    stored[-1 - (bit >> 3)] ^= 0x80 >> (bit & 7)
    plan = a_plan(whole, (0, 80, b"x" * 80))
    try:
        spliced = splice(bytes(stored), plan)
        content = b"".join(decode_chunks(spliced.data))
    except DamagedContainer:
        return
    assert content == apply_plan(whole, plan)


@pytest.mark.parametrize("keep", [0, 3, 4, 9, 14, 200, -1, -4, -10])
def test_cut_data_give_no_output(keep: int) -> None:
    with pytest.raises(DamagedContainer):
        splice(bz2.compress(TEXT)[:keep], a_plan(TEXT, (0, 5, b"other")))
