"""Benchmarks 1, 1b and 3: reading headers, and the checksum of a whole file after an edit."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import fitsio
import numpy as np
import rustfits
from astropy.io import fits

from armillary.fits.crc import crc64, crc64_splice
from armillary.fits.edit import edit_header
from armillary.fits.header import read_values
from armillary.fits.models import CardChange, Layout
from armillary.fits.plan import plan_headers
from armillary.fits.scan import scan
from benchmarks.scratch import scratch
from benchmarks.table import Row, finish, interleave

MB = 1_000_000


def a_header(cards: int) -> fits.Header:
    """Return a header with strings, integers, floats and logicals in equal parts, all with comments."""
    header = fits.Header()
    for i in range(cards):
        value = (f"value {i}", i, i * 1.37, i % 8 == 0)[i % 4]
        header[f"KEY{i:05d}"] = (value, f"comment number {i}")
    return header


def read_one_header() -> Row:
    """Read all values of a 200-card header."""
    raw = a_header(200).tostring().encode("ascii")

    def astropy() -> dict[str, object]:
        return {card.keyword: card.value for card in fits.Header.fromstring(raw).cards}

    if read_values(raw) != astropy():
        raise AssertionError("values differ from astropy's")
    seconds = interleave({"ours": lambda: read_values(raw), "astropy": astropy}, rounds=150)
    return _row("1", "read a 200-card header into values", seconds, {"astropy": 12})


def _scan_file(path: Path) -> Layout:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(descriptor).st_size
        return scan(lambda at, length: os.pread(descriptor, length, at), size)
    finally:
        os.close(descriptor)


def read_all_headers() -> list[Row]:
    """Read the headers of 21 HDUs: every card fetched and found, and again with every value as Python."""
    with scratch() as folder:
        path = folder / "mosaic.fits"
        extensions = [
            fits.ImageHDU(np.zeros((64, 64), "f4"), header=a_header(60), name=f"CCD{i}") for i in range(20)
        ]
        fits.HDUList([fits.PrimaryHDU(header=a_header(200)), *extensions]).writeto(path)

        def ours() -> list[dict[str, object]]:
            return [dict(read_values(raw)) for raw in _scan_file(path).headers]

        def astropy() -> list[dict[str, object]]:
            with fits.open(path) as hdus:
                return [dict(hdu.header) for hdu in hdus]

        def astropy_headers() -> list[fits.Header]:
            with fits.open(path) as hdus:
                return [hdu.header for hdu in hdus]

        def by_fitsio() -> list[object]:
            with fitsio.FITS(str(path)) as hdus:
                return [hdu.read_header() for hdu in hdus]

        def by_rustfits() -> list[object]:
            with rustfits.FITS(path) as hdus:
                return [hdu.header for hdu in hdus]

        def by_rustfits_values() -> list[object]:
            with rustfits.FITS(path) as hdus:
                return [hdu.header.to_dict() for hdu in hdus]

        if ours() != astropy():
            raise AssertionError("values differ from astropy's")
        headers = interleave(
            {
                "ours": lambda: _scan_file(path),
                "astropy": astropy_headers,
                "fitsio": by_fitsio,
                "rustfits": by_rustfits,
            },
            rounds=40,
        )
        values = interleave(
            {"ours": ours, "astropy": astropy, "fitsio": by_fitsio, "rustfits": by_rustfits_values}, rounds=20
        )
    targets = {"astropy": 15.0, "fitsio": 8.0}
    return [
        _row("1b", "read all headers of a 21-HDU file", headers, targets),
        _row("1b values", "the same with every value in Python", values, targets),
    ]


def checksum_after_edit() -> Row:
    """Bring the checksum of a 500 MB file up to date after an edit of five keywords."""
    header = a_header(200)
    image = fits.PrimaryHDU(np.zeros(1, "u1"), header=header).header
    image["NAXIS1"] = 500 * MB
    raw = image.tostring().encode("ascii")
    data = bytearray(raw) + bytearray(500 * MB + -(500 * MB) % 2880)
    data[len(raw) : len(raw) + 100 * MB] = np.random.default_rng(1).bytes(100 * MB)
    layout = scan(lambda at, length: bytes(data[at : at + length]), len(data))
    changes = [CardChange(f"KEY{i:05d}", -7 * i) for i in range(1, 20, 4)]
    edit = edit_header(layout.headers[0], changes, bytes_after=layout.hdus[0].data_size)
    plan = plan_headers(layout, {0: edit.header})
    before = crc64(data)
    data[: len(raw)] = edit.header
    if crc64_splice(before, plan) != crc64(data):
        raise AssertionError("the spliced CRC is wrong")
    seconds = interleave(
        {
            "ours": lambda: crc64_splice(before, plan),
            "md5": lambda: hashlib.md5(data, usedforsecurity=False).digest(),
            "CRC-64 of all bytes": lambda: crc64(data),
        },
        rounds=5,
    )
    return _row("3", "whole-file checksum after an edit, 500 MB", seconds, {"md5": 1000})


def _row(number: str, work: str, seconds: dict[str, float], targets: dict[str, float]) -> Row:
    return Row(number, work, seconds.pop("ours"), seconds, targets)


def run() -> list[Row]:
    """Run all benchmarks of this module."""
    return [read_one_header(), *read_all_headers(), checksum_after_edit()]


if __name__ == "__main__":
    finish(run())
