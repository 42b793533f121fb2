"""The commands gzip and bzip2 accept what is written here, and what they write is understood."""

from __future__ import annotations

import bz2
import gzip
import subprocess

import numpy as np
import pytest

from armillary.fits.bzip2 import decode_chunks, splice
from armillary.fits.gzip import expand_gzip, recompress_gzip
from armillary.fits.models import EditPlan, Splice
from armillary.fits.plan import apply_plan

NOISE = np.random.default_rng(11).bytes(330_000)
TEXT = b"".join(b"%d bottles of mercury on the wall; " % n for n in range(300))
needs_bzip2 = pytest.mark.needs("bzip2", "bzip2")
needs_gzip = pytest.mark.needs("gzip", "gzip")


def command(*words: str, given: bytes) -> bytes:
    """Return what a command writes that reads these bytes, if it is content with them."""
    return subprocess.run(words, input=given, capture_output=True, check=True).stdout


def a_plan(content: bytes, *changes: tuple[int, int, bytes]) -> EditPlan:
    """Replace at each offset so many bytes by others."""
    splices = tuple(Splice(offset, content[offset : offset + size], new) for offset, size, new in changes)
    return EditPlan(splices, len(content))


PLAN = a_plan(NOISE, (0, 2880, NOISE[5:8000]), (200_000, 80, b"=" * 80))


@pytest.mark.peer
@needs_gzip
def test_the_gzip_command_accepts_the_output() -> None:
    stored = gzip.compress(NOISE[:3000], mtime=0) + gzip.compress(NOISE[3000:])
    whole = expand_gzip(lambda offset, size: stored[offset : offset + size])
    new = b"".join(recompress_gzip(whole, PLAN, stored[:4096]))
    assert command("gzip", "-dc", given=new) == apply_plan(NOISE, PLAN)


@pytest.mark.peer
@needs_bzip2
@pytest.mark.parametrize(
    "stored", [bz2.compress(NOISE, 1), bz2.compress(NOISE[:9], 9) + bz2.compress(NOISE[9:], 2)]
)
def test_the_bzip2_command_accepts_the_output(stored: bytes) -> None:
    spliced = splice(stored, PLAN)
    command("bzip2", "-t", given=spliced.data)
    assert command("bzip2", "-dc", given=spliced.data) == apply_plan(NOISE, PLAN)


@pytest.mark.peer
@needs_bzip2
@pytest.mark.parametrize("level", [1, 9])
def test_the_output_of_the_bzip2_command_is_understood(level: int) -> None:
    assert b"".join(decode_chunks(command("bzip2", f"-{level}", given=NOISE))) == NOISE


@needs_bzip2
def test_the_bzip2_command_accepts_zeros_behind_a_stream_too() -> None:
    assert command("bzip2", "-dc", given=bz2.compress(TEXT) + bytes(9000)) == TEXT
