"""gzip data are read whatever wrote them, and written the same way every time."""

from __future__ import annotations

import gzip
import io
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.fits.container_errors import DamagedContainer
from armillary.fits.errors import PlanMismatch
from armillary.fits.gzip import GzipHeader, expand_gzip, read_gzip_header, recompress_gzip
from armillary.fits.models import EditPlan, ReadAt, Splice

NOISE = np.random.default_rng(3).bytes(700_000)
MEMBER = gzip.compress(NOISE[:3000], mtime=0)


def reader(data: bytes) -> ReadAt:
    return lambda offset, size: data[offset : offset + size]


def expanded(data: bytes) -> bytes:
    return b"".join(expand_gzip(reader(data)))


@given(st.lists(st.binary(max_size=500), min_size=1, max_size=4), st.integers(0, 9), st.integers(0, 5))
def test_members_follow_each_other(parts: list[bytes], level: int, zeros: int) -> None:
    data = b"".join(gzip.compress(part, level, mtime=1) for part in parts) + bytes(zeros)
    assert expanded(data) == b"".join(parts)


def test_pieces_stay_small_however_well_it_packs() -> None:
    data = gzip.compress(bytes(9_000_000) + NOISE)
    pieces = list(expand_gzip(reader(data)))
    assert b"".join(pieces) == bytes(9_000_000) + NOISE
    assert max(map(len, pieces)) <= 1 << 20


@pytest.mark.parametrize(
    "damaged",
    [
        *(MEMBER[:keep] for keep in (0, 5, 100, -1, -9)),
        *(MEMBER + junk for junk in (b"junk", b"\0junk", MEMBER[:7], bytes(1 << 18) + b"junk")),
        b"junk",
        MEMBER[:-3] + b"xyz",
        MEMBER[:-8] + bytes(8),
    ],
    ids=range(12),
)
def test_cut_or_foreign_bytes_are_damage(damaged: bytes) -> None:
    with pytest.raises(DamagedContainer):
        expanded(damaged)


@given(st.integers(10 * 8, len(MEMBER) * 8 - 1))
def test_no_flipped_bit_goes_unnoticed(bit: int) -> None:
    data = bytearray(MEMBER)
    data[bit >> 3] ^= 1 << (bit & 7)
    try:
        content = expanded(bytes(data))
    except DamagedContainer:
        return
    assert content == NOISE[:3000], "only fill before a stored block may differ"


def a_gzip_file(content: bytes, *, name: str, mtime: int) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(name, "wb", fileobj=out, mtime=mtime) as stream:
        stream.write(content)
    return out.getvalue()


def recompressed(stored: bytes, plan: EditPlan) -> bytes:
    return b"".join(recompress_gzip(expand_gzip(reader(stored)), plan, stored[:4096]))


PLAN = EditPlan((Splice(80, NOISE[80:160], b"new" * 1000),), len(NOISE))
AFTER = NOISE[:80] + b"new" * 1000 + NOISE[160:]


def test_an_edit_keeps_time_stamp_and_name() -> None:
    stored = a_gzip_file(NOISE, name="N20260101S0001.fits", mtime=1_767_225_600)
    new = recompressed(stored, PLAN)
    assert gzip.decompress(new) == AFTER
    assert read_gzip_header(new) == GzipHeader(mtime=1_767_225_600, name=b"N20260101S0001.fits")


def test_an_edit_gives_one_member_and_the_same_bytes_each_time() -> None:
    stored = gzip.compress(NOISE[:1000], mtime=5) + gzip.compress(NOISE[1000:], mtime=6)
    new = recompressed(stored, PLAN)
    decoder = zlib.decompressobj(31)
    assert decoder.decompress(new) == AFTER
    assert decoder.eof
    assert not decoder.unused_data
    assert new == recompressed(gzip.compress(NOISE, 1, mtime=5), PLAN)


def test_an_edit_for_other_bytes_writes_no_trailer() -> None:
    wrong = EditPlan((Splice(699_000, b"not there", b""),), len(NOISE))
    written: list[bytes] = []
    with pytest.raises(PlanMismatch):
        written.extend(recompress_gzip([NOISE], wrong, MEMBER))
    with pytest.raises((EOFError, OSError, zlib.error)):
        gzip.decompress(b"".join(written))


@given(st.binary(max_size=20), st.integers(0, (1 << 32) - 1), st.binary(max_size=9))
def test_optional_fields_of_a_header_are_skipped(extra: bytes, mtime: int, name: bytes) -> None:
    name = name.replace(b"\0", b"")
    plain = GzipHeader(mtime=mtime, name=name)
    assert read_gzip_header(plain.to_bytes()) == plain
    head = b"\x1f\x8b\x08\x0c" + mtime.to_bytes(4, "little") + b"\0\3"
    full = head + len(extra).to_bytes(2, "little") + extra + name + b"\0"
    assert read_gzip_header(full) == plain


@pytest.mark.parametrize(
    "head", [b"", b"\x1f\x8b\x08", b"\x1f\x8b\x08\x08" + bytes(6) + b"endless", b"SIMPLE  = T"]
)
def test_a_broken_header_is_damage(head: bytes) -> None:
    with pytest.raises(DamagedContainer):
        read_gzip_header(head)
