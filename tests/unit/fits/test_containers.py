"""The container of a file is what its bytes say, and reading through it is like reading a plain file."""

from __future__ import annotations

import bz2
import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armillary.fits.container_errors import ContainerMismatch, DamagedContainer, UnpackedTooLarge
from armillary.fits.containers import Container, container_of, expand, logical_name, open_logical
from armillary.fits.models import ReadAt
from armillary.fits.scan import scan
from tests.support.realdata import REALDATA, needs_realdata

CONTENT = np.random.default_rng(5).bytes(100_000) + bytes(3_000_000) + np.random.default_rng(6).bytes(50_000)
LIMIT = len(CONTENT)
STORED = {
    Container.PLAIN: CONTENT,
    Container.BZ2: bz2.compress(CONTENT),
    Container.GZ: gzip.compress(CONTENT),
}


def reader(data: bytes) -> ReadAt:
    return lambda offset, size: data[offset : offset + size]


@pytest.mark.parametrize(
    ("filename", "logical"),
    [
        ("a.fits", "a.fits"),
        ("a.fits.bz2", "a.fits"),
        ("a.fits.gz", "a.fits"),
        ("a.fits.fz", "a.fits.fz"),
        ("a.fits.gz.bz2", "a.fits.gz"),
        ("F10.FITS.GZ", "F10.FITS"),
        ("f10b.Fits.Bz2", "f10b.Fits"),
        ("bz2", "bz2"),
    ],
)
def test_one_ending_of_a_container_is_no_part_of_the_name(filename: str, logical: str) -> None:
    assert logical_name(filename) == logical


@pytest.mark.parametrize(
    ("filename", "head", "container"),
    [
        ("F10.FITS.GZ", b"\x1f\x8b\x08\0", Container.GZ),
        ("F10.FIT.Bz2", b"BZh9", Container.BZ2),
        ("a.fits", b"SIMPLE  =", Container.PLAIN),
        ("a.fits.fz", b"SIMPLE  =", Container.PLAIN),
        ("a.fits", b"", Container.PLAIN),
        ("a.fits.bz2", b"BZh91AY&SY", Container.BZ2),
        ("a.fits.bz2", b"BZh1\x17rE8P\x90", Container.BZ2),
        ("a.fits.gz", b"\x1f\x8b\x08", Container.GZ),
    ],
)
def test_name_and_bytes_agree_on_the_container(filename: str, head: bytes, container: Container) -> None:
    assert container_of(filename, head) is container


@pytest.mark.parametrize(
    ("filename", "head", "advice"),
    [
        ("a.fits.bz2", b"SIMPLE  =", "a.fits.bz2 promises bz2 data"),
        ("a.fits.bz2", b"BZh0", "promises bz2 data"),
        ("a.fits.gz", b"BZh9", "rename it to a.fits.bz2"),
        ("a.fits", b"BZh9", "rename it to a.fits.bz2"),
        ("a.fits", b"\x1f\x8b", "rename it to a.fits.gz"),
        ("a.fits.bz2", b"\x1f\x8b", "rename it to a.fits.gz"),
        ("a.fits.gz", b"", "promises gz data"),
    ],
)
def test_a_name_that_contradicts_the_bytes_is_an_error(filename: str, head: bytes, advice: str) -> None:
    with pytest.raises(ContainerMismatch, match=advice):
        container_of(filename, head)


@pytest.mark.parametrize("container", Container)
def test_expanding_gives_the_content_in_small_pieces(container: Container) -> None:
    pieces = list(expand(reader(STORED[container]), container, limit=LIMIT))
    assert b"".join(pieces) == CONTENT
    assert max(map(len, pieces)) <= 1 << 20


@pytest.mark.parametrize("container", [Container.BZ2, Container.GZ])
def test_cut_data_are_damage(container: Container) -> None:
    with pytest.raises(DamagedContainer):
        list(expand(reader(STORED[container][:-4]), container, limit=LIMIT))


@pytest.mark.parametrize("container", [Container.BZ2, Container.GZ])
def test_no_more_is_unpacked_than_allowed(container: Container) -> None:
    with pytest.raises(UnpackedTooLarge, match=rf"more than {LIMIT - 1} bytes; raise archive.max_unpacked"):
        list(expand(reader(STORED[container]), container, limit=LIMIT - 1))
    read = open_logical(reader(STORED[container]), container, limit=2_000_000)
    assert read(0, 900_000) == CONTENT[:900_000]
    with pytest.raises(UnpackedTooLarge):
        read(1_900_000, 1_000_000)


@settings(max_examples=10)
@given(st.lists(st.tuples(st.integers(0, 3_200_000), st.integers(0, 200_000)), max_size=5))
@pytest.mark.parametrize("container", Container)
def test_reads_may_go_anywhere(container: Container, wanted: list[tuple[int, int]]) -> None:
    read = open_logical(reader(STORED[container]), container, limit=LIMIT)
    for offset, size in wanted:
        assert read(offset, size) == CONTENT[offset : offset + size]


@pytest.mark.parametrize("container", [Container.BZ2, Container.GZ])
def test_reading_on_decodes_only_once(container: Container) -> None:
    asked: list[int] = []

    def stored(offset: int, size: int) -> bytes:
        asked.append(offset)
        return STORED[container][offset : offset + size]

    read = open_logical(stored, container, limit=LIMIT)
    got = b"".join(read(offset, 30_000) for offset in range(0, len(CONTENT), 30_000))
    assert got == CONTENT
    assert len(asked) == len(set(asked))


@needs_realdata
@pytest.mark.parametrize("container", [Container.BZ2, Container.GZ])
def test_real_files_are_scanned_through_their_containers(container: Container) -> None:
    for path in sorted((REALDATA / "fits").glob("*.fits")):
        data = path.read_bytes()
        stored = bz2.compress(data) if container is Container.BZ2 else gzip.compress(data, 1)
        through = open_logical(reader(stored), container, limit=LIMIT)
        assert scan(through, len(data)) == scan(reader(data), len(data))
