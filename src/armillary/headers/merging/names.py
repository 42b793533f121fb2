"""Which image a raw file is of, and of which detector: by its name, or by its header."""

from __future__ import annotations

from collections.abc import Sequence

from armillary.fits.header import Header
from armillary.headers.render.rendering import image_parts

ENDINGS = (".fits", ".fits.fz", ".fit", ".fts")


def names_of(filename: str) -> list[tuple[str, str]]:
    """Return what a file name may mean: image ids, the longest first, each with the detector behind it."""
    stem = next((filename[: -len(end)] for end in ENDINGS if filename.lower().endswith(end)), "")
    words = stem.split("_")
    return [("_".join(words[:n]), "_".join(words[n:])) for n in range(len(words) - 1, 0, -1)]


def fitting(names: Sequence[tuple[str, str]], pattern: str) -> tuple[str, str] | None:
    """Return the meaning whose image id is formed as those of an instrument are."""
    return next((one for one in names if image_parts(pattern, one[0])), None)


def primary_of(headers: Sequence[bytes]) -> int:
    """Return the HDU that holds the primary header: the first, or the second one if that is a compressed primary.

    Such a one is marked by ZSIMPLE (FITS 4.0, section 10.1.1); edits of the primary header go there, too.
    """
    return 1 if len(headers) > 1 and "ZSIMPLE" in Header(headers[1]).keywords() else 0


def told_by(headers: Sequence[bytes]) -> tuple[str, str] | None:
    """Return what a file says of itself: its OBSID, and the detector that all EXTNAMEs begin with, if they do."""
    if not headers:
        return None
    image = Header(headers[primary_of(headers)]).get("OBSID")
    if not isinstance(image, str) or not image.strip():
        return None
    names = [str(Header(one).get("EXTNAME") or "").strip() for one in headers[1:]]
    detectors = {name.rpartition("_")[0] for name in names if "_" in name}
    return image.strip(), detectors.pop() if len(detectors) == 1 else ""
