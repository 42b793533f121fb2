"""Builders of header bytes and small FITS files."""

from __future__ import annotations

import io
from collections.abc import Iterable
from unittest import mock

import numpy as np
from astropy.io import fits
from hypothesis import strategies as st

from armillary.fits.models import BLOCK, Layout, Value
from armillary.fits.scan import scan

PRINTABLE = st.characters(min_codepoint=32, max_codepoint=126)

strings = st.one_of(
    st.text(PRINTABLE, max_size=90),
    st.text(st.sampled_from("' &/=a"), max_size=200),
)
numbers = st.one_of(
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)
values: st.SearchStrategy[Value] = st.one_of(strings, st.booleans(), numbers, st.none())
comments = st.text(PRINTABLE, max_size=70).map(str.strip)
keywords = st.from_regex(r"[A-Z][A-Z0-9_-]{0,6}X", fullmatch=True)


def a_card(text: str) -> bytes:
    """Return a card of a text."""
    return text.encode("latin-1").ljust(80)


def a_header(*cards: str | bytes, blocks: int = 1) -> bytes:
    """Return header blocks of cards given as text, or as bytes of whole cards, with END and fill."""
    body = b"".join(card if isinstance(card, bytes) else a_card(card) for card in cards)
    whole = -(-(len(body) + 80) // BLOCK)
    return (body + a_card("END")).ljust(max(blocks, whole) * BLOCK)


PRIMARY = (
    "SIMPLE  =                    T / conforms to FITS standard",
    "BITPIX  =                    8 / array data type",
    "NAXIS   =                    0 / number of array dimensions",
)


def a_primary(*cards: str | bytes, blocks: int = 1) -> bytes:
    """Return a primary header without data."""
    return a_header(*PRIMARY, *cards, blocks=blocks)


def a_file(
    *, cards: Iterable[tuple[str, object, str]] = (), extensions: int = 1, checksum: bool = True
) -> bytes:
    """Return a file with an image in every HDU, written by astropy: the same bytes at any time."""
    rng = np.random.default_rng(7)
    hdus = [fits.PrimaryHDU(rng.integers(0, 1000, (30, 40), dtype="i2"))]
    hdus += [fits.ImageHDU(rng.random((11, 7)), name=f"CCD{i}") for i in range(extensions)]
    for keyword, value, comment in cards:
        hdus[0].header[keyword] = (value, comment)
    written = io.BytesIO()
    # The comments of checksums tell the time.
    with mock.patch.object(fits.hdu.base._ValidHDU, "_get_timestamp", return_value="2026-01-01T00:00:00"):  # noqa: SLF001  # of astropy
        fits.HDUList(hdus).writeto(written, checksum=checksum)
    return written.getvalue()


def a_layout(data: bytes) -> Layout:
    """Return the layout of a file in memory."""
    return scan(lambda at, length: data[at : at + length], len(data))
