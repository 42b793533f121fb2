"""Where real data is: where ARMILLARY_REALDATA says, or beside the repository, and inside the installed astropy.

Headers typed after real ones are in the repository itself.
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

REALDATA = Path(
    os.environ.get("ARMILLARY_REALDATA") or Path(__file__).resolve().parents[2].parent / "shared" / "realdata"
)
TYPED_HEADERS = Path(__file__).resolve().parents[1] / "data" / "headers"

needs_realdata = pytest.mark.realdata
"""Marks tests of files that no clone has; without them they are not collected."""


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take tests of real data out of a run that does not have it."""
    if REALDATA.is_dir():
        return
    left_out = [one for one in items if one.get_closest_marker("realdata")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [one for one in items if one not in left_out]


def told() -> str:
    """Return what the head of a run says of real data."""
    return f"real data: {REALDATA if REALDATA.is_dir() else 'none; ARMILLARY_REALDATA says where it is'}"


def real_fits() -> list[Path]:
    """Return the real FITS files; none where the data is absent."""
    return sorted((REALDATA / "fits").glob("*.fits*"))


def astropy_fits() -> list[Path]:
    """Return every FITS file of the installed astropy, its tests included."""
    # Only here: every run loads this module.
    import astropy

    return sorted(Path(astropy.__file__).parent.rglob("*.fits*"))


def typed_headers() -> list[Path]:
    """Return the headers typed by hand after those of real instruments; every clone has them."""
    return sorted(TYPED_HEADERS.glob("*.header"))


def header_texts() -> list[Path]:
    """Return the headers, real and typed, that are kept as cards, one per line or 80 characters each."""
    real = sorted((REALDATA / "headers").glob("*.header"))
    return [path for path in (*real, *typed_headers()) if path.read_bytes()[:10] == b"SIMPLE  = "]


def fits_bytes(path: Path) -> bytes:
    """Return the FITS bytes of a file, decompressed if it is gzip."""
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def header_bytes(path: Path) -> bytes:
    """Return the header kept in a text as whole blocks."""
    text = path.read_bytes()
    if b"\n" in text:
        lines = [line[:80].ljust(80) for line in text.splitlines()]
    else:
        lines = [text[at : at + 80].ljust(80) for at in range(0, len(text), 80)]
    end = next((i for i, line in enumerate(lines) if line[:8] == b"END     "), len(lines))
    header = b"".join([*lines[:end], b"END".ljust(80)])
    return header.ljust(-(-len(header) // 2880) * 2880)
