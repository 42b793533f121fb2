"""Benchmark 7: headers from answers of the bus to FITS and JSON, beside PyYAML's dump of the same cards."""

from __future__ import annotations

import io

from astropy.io import fits

from armillary.headers.recipes.service import load, reference_directory
from armillary.headers.render.measuring import Contest, with_segments
from benchmarks.table import Row, finish, interleave

PEER = "PyYAML"
INSTRUMENT = "cam205"


def _check(contest: Contest, hdus: int) -> None:
    """Check that what is measured is a whole file whose checksums are right."""
    file, _ = contest.ours()
    with fits.open(io.BytesIO(file), checksum=True) as found:
        found.verify("exception")
        if len(found) != hdus:
            raise AssertionError(f"{len(found)} HDUs instead of {hdus}")


def rows() -> list[Row]:
    """Measure a header of 205 detectors, and one with all of their amplifiers."""
    loaded = load(reference_directory())
    recipe, template = loaded.recipes[INSTRUMENT], loaded.templates[INSTRUMENT, "raw"]
    found = []
    for number, contest, hdus, target, rounds in (
        ("7", Contest(recipe, template), 206, 30.0, 5),
        ("7a", Contest(recipe, with_segments(template)), 206 + 16 * 205, 25.0, 2),
    ):
        _check(contest, hdus)
        seconds = interleave({"ours": contest.ours, PEER: contest.peer}, rounds=rounds)
        work = f"render a header of {contest.cards} cards, FITS and JSON"
        found.append(Row(number, work, seconds["ours"], {PEER: seconds[PEER]}, {PEER: target}))
    return found


if __name__ == "__main__":
    finish(rows())
