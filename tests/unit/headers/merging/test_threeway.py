"""What a header changes in a file, what people have set in it, and where compressed primaries lie."""

from __future__ import annotations

from typing import Any

from armillary.fits.models import CardChange
from armillary.headers.merging.names import told_by
from armillary.headers.merging.threeway import Conflict, merge
from armillary.headers.render.models import Card, Hdu
from tests.support.headers import a_header, a_primary


def an_hdu(**values: Any) -> Hdu:
    return Hdu("PRIMARY", [Card("PRIMARY", key, value) for key, value in values.items()])


def changed(found: dict[int, list[CardChange]]) -> dict[int, dict[str, Any]]:
    return {at: {one.keyword: one.value for one in changes} for at, changes in found.items()}


def test_what_a_file_came_with_gives_way_and_what_people_set_stays() -> None:
    header = a_primary("AIRTEMP =                  4.5", "OBJECT  = 'M 1     '")
    theirs = [an_hdu(AIRTEMP=9.5, OBJECT="M 2", SEQNUM=3)]
    found = merge(theirs, None, [header], (), people={(0, "AIRTEMP"), (1, "OBJECT")})
    assert changed(found.changes) == {0: {"OBJECT": "M 2", "SEQNUM": 3}}
    assert found.conflicts == [
        Conflict("PRIMARY", "AIRTEMP", 4.5, 9.5, "file"),
        Conflict("PRIMARY", "OBJECT", "M 1", "M 2", "header"),
    ]


def test_what_people_set_as_the_header_says_is_no_conflict() -> None:
    header = a_primary("AIRTEMP =                  9.5")
    found = merge([an_hdu(AIRTEMP=9.5)], None, [header], (), people={(0, "AIRTEMP")})
    assert (found.changes, found.conflicts) == ({}, [])


def test_the_primary_header_of_a_compressed_file_is_where_its_image_is() -> None:
    shell = a_primary()
    image = a_header(
        "XTENSION= 'BINTABLE'",
        "BITPIX  =                    8",
        "NAXIS   =                    0",
        "PCOUNT  =                    0",
        "GCOUNT  =                    1",
        "ZIMAGE  =                    T",
        "ZSIMPLE =                    T",
        "OBSID   = 'AT_O_20261130_000001'",
    )
    assert told_by([shell, image]) == ("AT_O_20261130_000001", "")
    assert told_by([shell, shell]) is None
    found = merge([an_hdu(SEQNUM=3)], None, [shell, image], ())
    assert changed(found.changes) == {1: {"SEQNUM": 3}}
