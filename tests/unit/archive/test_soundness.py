"""Wrong DATASUMs are reported, however the bytes come in."""

from __future__ import annotations

import io

import numpy as np
import pytest
from astropy.io import fits

from armillary.fits.scan import scan
from armillary.fits.soundness import DataSums


def a_file_with_sums() -> bytes:
    out = io.BytesIO()
    pixels = np.arange(1023, dtype=np.int16).reshape(33, 31)
    hdus = fits.HDUList([fits.PrimaryHDU(pixels), fits.ImageHDU(pixels * 3)])
    hdus.writeto(out, checksum=True)
    return out.getvalue()


def warnings_of(data: bytes, piece: int) -> list[str]:
    layout = scan(lambda offset, size: data[offset : offset + size], len(data))
    sums = DataSums(layout)
    passed = b"".join(sums.passing(data[at : at + piece] for at in range(0, len(data), piece)))
    assert passed == data
    return sums.warnings()


@pytest.mark.parametrize("piece", [1, 7, 2880, 4096, 1 << 20])
def test_right_sums_give_no_warning(piece: int) -> None:
    assert warnings_of(a_file_with_sums(), piece) == []


@pytest.mark.parametrize("piece", [3, 1001, 1 << 20])
def test_changed_data_are_named_by_hdu(piece: int) -> None:
    data = bytearray(a_file_with_sums())
    data[-2880 + 5] ^= 1
    (warning,) = warnings_of(bytes(data), piece)
    assert warning.startswith("DATASUM of HDU 1 says ")
