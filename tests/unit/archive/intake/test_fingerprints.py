"""Fingerprints: which bytes of a header count, when a time stamp is believed, what is said of stored sums."""

from __future__ import annotations

import hashlib
import io
import itertools

import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from armillary.archive.intake.fingerprints import (
    SETTLED_NS,
    DataWatch,
    Fingerprint,
    fingerprint_of,
    header_sha256,
    sum_warnings,
)
from armillary.base.store import StoredObject
from armillary.fits.header import read_values
from tests.support.headers import a_card, a_file, a_header, a_layout, a_primary

CARDS = ("OBJECT  = 'one'", "CHECKSUM= 'abc'  / 2026-01-01", "DATASUM = '1'", "COMMENT about CHECKSUM")
READ_NS = 1_800_000_000_000_000_000


def a_fingerprint(data: bytes) -> Fingerprint:
    """Return the fingerprint of a file in memory."""
    layout, watch = a_layout(data), DataWatch()
    for hdu in layout.hdus:
        watch.see(hdu.index, (memoryview(data)[hdu.data_offset : hdu.end],))
    return fingerprint_of(
        stored(len(data)), layout, list(map(read_values, layout.headers)), watch.found, read_ns=READ_NS
    )


def stored(size: int, *, mtime_ns: int = READ_NS - SETTLED_NS - 1) -> StoredObject:
    """Return a stored file."""
    return StoredObject(key="a.fits", size=size, mtime_ns=mtime_ns, identity="x")


def test_sums_do_not_count_and_everything_else_does() -> None:
    known = header_sha256(a_primary(*CARDS))
    renewed = (CARDS[0], "CHECKSUM= 'xyz'  / 2027-01-01", "DATASUM = '2'", CARDS[3])
    assert header_sha256(a_primary(*renewed)) == known
    assert header_sha256(a_primary(CARDS[0], CARDS[3])) == known
    assert header_sha256(a_primary(*CARDS, blocks=3)) == known
    others = [
        ("OBJECT  = 'two'", *CARDS[1:]),
        (CARDS[3], CARDS[0]),
        (*CARDS, "COMMENT"),
        (CARDS[0], CARDS[3], "CHECKSUN= 'abc'"),
        (CARDS[0], CARDS[3], "DATASUMS= '1'"),
    ]
    digests = [header_sha256(a_primary(*cards)) for cards in others]
    assert len({known, *digests}) == len(others) + 1


def test_what_stands_behind_end_does_not_count() -> None:
    header = a_header("SIMPLE  =                    T")
    assert header_sha256(header[:-80] + a_card("OBJECT  = 'hidden'")) == header_sha256(header)


@given(st.binary(min_size=1, max_size=400), st.lists(st.integers(0, 100), max_size=5))
def test_data_are_digested_alike_in_whatever_pieces_they_pass(data: bytes, cuts: list[int]) -> None:
    data = data.ljust(-(-len(data) // 4) * 4, b"\0")
    at = [0, *sorted({4 * cut for cut in cuts if 4 * cut < len(data)} - {0}), len(data)]
    watch = DataWatch()
    watch.see(0, (memoryview(data)[a:b] for a, b in itertools.pairwise(at)))
    words = sum(int.from_bytes(data[n : n + 4], "big") for n in range(0, len(data), 4))
    while words >> 32:
        words = (words & 0xFFFFFFFF) + (words >> 32)
    assert watch.found[0] == (hashlib.sha256(data).hexdigest(), words)


@pytest.mark.parametrize(
    ("before_ns", "settled"), [(SETTLED_NS + 1, True), (SETTLED_NS, False), (0, False), (-(10**12), False)]
)
def test_a_time_stamp_close_to_the_reading_or_after_it_proves_nothing(before_ns: int, settled: bool) -> None:
    mtime_ns = READ_NS - before_ns
    one = Fingerprint(size=2880, mtime_ns=mtime_ns, read_ns=READ_NS)
    assert one.may_be(stored(2880, mtime_ns=mtime_ns)) is settled


def test_another_size_or_time_stamp_is_another_file() -> None:
    mtime_ns = READ_NS - 10 * SETTLED_NS
    one = Fingerprint(size=2880, mtime_ns=mtime_ns, read_ns=READ_NS)
    assert one.may_be(stored(2880, mtime_ns=mtime_ns))
    assert not one.may_be(stored(5760, mtime_ns=mtime_ns))
    assert not one.may_be(stored(2880, mtime_ns=mtime_ns + 1))
    assert not one.may_be(stored(2880, mtime_ns=mtime_ns - 1))


def test_a_fingerprint_is_stored_as_it_is_and_one_of_another_form_is_none() -> None:
    one = a_fingerprint(a_file())
    assert Fingerprint.of_json(one.to_json()) == one
    assert [hdu.name for hdu in one.hdus] == ["", "CCD0"]
    less = {**one.to_json(), "hdus": [{"index": 0}]}
    for strange in (
        {},
        less,
        {"hdus": 5},
        {**one.to_json(), "hdus": [{**one.to_json()["hdus"][0], "new": 1}]},
    ):
        assert Fingerprint.of_json(strange) is None


def test_sums_that_astropy_wrote_are_true() -> None:
    data = a_file(extensions=3)
    found = a_fingerprint(data)
    assert [hdu.datasum for hdu in found.hdus] == [str(hdu.data_sum) for hdu in found.hdus]
    assert sum_warnings(a_layout(data), found) == []


def test_absent_sums_are_not_wrong() -> None:
    data = a_file(checksum=False)
    found = a_fingerprint(data)
    assert {(hdu.checksum, hdu.datasum) for hdu in found.hdus} == {(None, None)}
    assert sum_warnings(a_layout(data), found) == []


def test_a_sum_that_is_not_used_yet_is_not_wrong() -> None:
    data = a_primary("CHECKSUM= '                '", "DATASUM = '0'")
    assert sum_warnings(a_layout(data), a_fingerprint(data)) == []


def test_each_sum_that_is_wrong_is_told_and_of_which_hdu() -> None:
    data = bytearray(a_file(extensions=2))
    layout = a_layout(bytes(data))
    data[layout.hdus[1].data_offset + 5] ^= 1
    told = sum_warnings(a_layout(bytes(data)), a_fingerprint(bytes(data)))
    assert [one.partition(" HDU 1 ")[0] for one in told] == ["DATASUM of", "CHECKSUM of"]
    # Who else judges agrees.
    with fits.open(io.BytesIO(bytes(data))) as opened:
        assert [bool(hdu.verify_datasum()) for hdu in opened] == [True, False, True]
