"""Files put together from headers and stored data, from any byte to any other."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.archive.catalog.content import CHUNK, Content, content_of
from armillary.archive.catalog.models import HduRecord, layout_of
from armillary.fits.models import BLOCK, Layout

HEADERS = (b"h" * BLOCK, b"i" * 2 * BLOCK, b"j" * BLOCK)
DATA = tuple(random.Random(3).randbytes(size) for size in (BLOCK, 0, 3 * BLOCK))
RECORDS = [HduRecord("", "", 1, len(h), len(d), 0) for h, d in zip(HEADERS, DATA, strict=True)]


def stored(trailing: int) -> tuple[Layout, bytes]:
    """Return a file with so many bytes behind its HDUs, or so many missing ones."""
    whole = b"".join(h + d for h, d in zip(HEADERS, DATA, strict=True))
    tail = b"t" * trailing if trailing >= 0 else b""
    return layout_of(RECORDS, HEADERS, trailing), whole[: len(whole) + min(trailing, 0)] + tail


class Reader:
    """Reads of a file, which are written down."""

    def __init__(self, data: bytes) -> None:
        self.data, self.asked = data, list[tuple[int, int]]()

    def __call__(self, offset: int, size: int) -> bytes:
        self.asked.append((offset, size))
        return self.data[offset : offset + size]


def whole_of(content: Content) -> bytes:
    return b"".join(content.chunks())


@given(st.integers(-BLOCK + 1, 100), st.lists(st.integers(0, 3), min_size=3, max_size=3), st.data())
def test_any_part_is_that_of_the_whole(trailing: int, blocks: list[int], data: st.DataObject) -> None:
    layout, file = stored(trailing)
    headers = [bytes([65 + at]) * (count * BLOCK) for at, count in enumerate(blocks)]
    content = content_of(layout, headers, lambda at, size: file[at : at + size])
    last = DATA[2][: len(DATA[2]) + min(trailing, 0)]
    tail = b"t" * max(trailing, 0)
    whole = headers[0] + DATA[0] + headers[1] + DATA[1] + headers[2] + last + tail
    assert (content.size, whole_of(content)) == (len(whole), whole)
    start, stop = data.draw(st.integers(0, len(whole) + 9)), data.draw(st.integers(0, len(whole) + 9))
    assert b"".join(content.chunks(start, stop)) == whole[start:stop]
    assert b"".join(content.chunks(start)) == whole[start:]


@pytest.mark.parametrize("trailing", [-1, 0, 7])
def test_the_headers_of_a_file_give_the_file(trailing: int) -> None:
    layout, file = stored(trailing)
    content = content_of(layout, layout.headers, Reader(file))
    assert (content.size, whole_of(content)) == (len(file), file)
    assert layout.size == len(file)


def test_headers_are_not_read_and_data_only_as_far_as_they_are_wanted() -> None:
    layout, file = stored(0)
    read = Reader(file)
    content = content_of(layout, HEADERS, read)
    assert b"".join(content.chunks(0, BLOCK)) == HEADERS[0]
    assert list(content.chunks(5, 5)) == list(content.chunks(layout.size)) == []
    assert read.asked == []
    assert b"".join(content.chunks(BLOCK - 1, BLOCK + 2)) == b"h" + DATA[0][:2]
    assert read.asked == [(BLOCK, 2)]


def test_data_are_read_where_they_are_stored_however_long_the_headers_become() -> None:
    layout, file = stored(2)
    read = Reader(file)
    assert len(whole_of(content_of(layout, [b"", b"", b""], read))) == 4 * BLOCK + 2
    assert read.asked == [(BLOCK, BLOCK), (5 * BLOCK, 3 * BLOCK), (8 * BLOCK, 2)]


def test_pieces_have_a_mebibyte_at_most_wherever_they_come_from() -> None:
    size = -(-5 * CHUNK // (2 * BLOCK)) * BLOCK
    header, data = b"h" * size, b"d" * size
    layout = layout_of([HduRecord("", "", 1, BLOCK, size, 0)], [HEADERS[0]], 0)
    content = content_of(layout, [header], Reader(HEADERS[0] + data))
    sizes = [len(chunk) for chunk in content.chunks()]
    assert sizes == [CHUNK, CHUNK, size - 2 * CHUNK] * 2
    assert whole_of(content) == header + data
    assert b"".join(content.chunks(CHUNK + 1, size + 1)) == (header + data)[CHUNK + 1 : size + 1]


def test_a_file_that_became_shorter_ends_early() -> None:
    layout, file = stored(0)
    assert whole_of(content_of(layout, HEADERS, Reader(file[:-7]))) == file[:-7]


def test_every_hdu_needs_its_header() -> None:
    layout, file = stored(0)
    with pytest.raises(ValueError, match="zip"):
        content_of(layout, HEADERS[:2], Reader(file))
