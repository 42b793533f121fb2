"""Frames are found by every criterion, true cones included, and paged without loss."""

from __future__ import annotations

import asyncio
import base64
import math
import random
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import pytest

from armillary.access.models import Principal
from armillary.archive.errors import BadCursor
from armillary.archive.query.comparisons import BadPredicate, parse_predicate
from armillary.archive.query.cones import Cone
from armillary.base.postgres.server import EmbeddedServer
from armillary.errors import BadRequest
from tests.support.archive import Archive, an_archive, put
from tests.support.frames import a_header
from tests.support.headers import a_card, a_primary
from tests.support.headers import a_header as a_header_unit

STRANGER = Principal("stranger")


def a_gmos_file(*cards: str, **values: object) -> bytes:
    """Return a file with the header of a GMOS image and some more cards."""
    header = a_header(**values)
    lines = [f"{key:<8}= {_shown(value)}" for key, value in header.items() if key != "SIMPLE"]
    return a_primary(*map(a_card, lines), *map(a_card, cards))


def _shown(value: object) -> str:
    match value:
        case bool():
            return "T" if value else "F"
        case str():
            return f"'{value:<8}'"
        case _:
            return repr(value)


async def add(archive: Archive, **files: bytes) -> None:
    for name, data in files.items():
        put(archive.directory / "in" / f"{name}.fits", data)
    report = await archive.ingest(archive.directory / "in")
    assert (report.ingested, report.failed) == (len(files), [])


async def test_each_criterion_finds_its_frames(archive: Archive) -> None:
    await add(
        archive,
        N20260101S0001=a_gmos_file(),
        N20260101S0002=a_gmos_file(EXPTIME=5.0, FILTER2="g_G0301", RAWPIREQ="NO", OBJECT="M 31"),
        S20260203S0003=a_gmos_file(
            DATE_OBS="2026-02-03",
            INSTRUME="GMOS-S",
            TELESCOP="Gemini-South",
            OBSERVAT="Gemini-South",
            GEMPRGID="GS-2026A-Q-1",
        ),
    )
    one, two, three = "N20260101S0001.fits", "N20260101S0002.fits", "S20260203S0003.fits"
    assert await archive.find() == [three, *sorted((one, two), reverse=True)]
    for criteria, names in (
        ({"name": one}, {one}),
        ({"name": f"{one}.bz2"}, {one}),
        ({"name": "N2026*"}, {one, two}),
        ({"name": "?2026*S0003.fits"}, {three}),
        ({"name": "N2026%"}, set()),
        ({"site": "gemini-south"}, {three}),
        ({"telescope": "Gemini-North"}, {one, two}),
        ({"instrument": "GMOS-S"}, {three}),
        ({"filter": "g"}, {two}),
        ({"object": "M 31"}, {two}),
        ({"program": "GS-2026A-Q-1"}, {three}),
        ({"qa_state": "Usable"}, {two}),
        ({"qa_state": "Pass"}, {one, three}),
        ({"exposure_min_s": 6.0}, {one, three}),
        ({"exposure_max_s": 5.0}, {two}),
        ({"night": date(2026, 1, 1)}, {one, two}),
        ({"night": date(2026, 1, 1), "night_until": date(2026, 2, 3)}, {one, two, three}),
        ({"since": datetime(2026, 1, 2, tzinfo=UTC)}, {three}),
        ({"until": datetime(2026, 1, 1, 9, 30, tzinfo=UTC)}, set()),
        ({"until": datetime(2026, 1, 1, 9, 30, 1, tzinfo=UTC)}, {one, two}),
        ({"instrument": "GMOS-N", "filter": "g", "exposure_min_s": 6.0}, set()),
    ):
        assert set(await archive.find(**criteria)) == names, criteria


async def test_any_keyword_can_be_asked_for(archive: Archive) -> None:
    def a_word(card: str, *more: str) -> bytes:
        return a_primary(a_card(card), *map(a_card, more))

    await add(
        archive,
        number=a_word("XX      =                  5.0", "HIERARCH ESO DET ID = 'chip 1'"),
        integer=a_word("XX      =                    7"),
        text=a_word("XX      = '5       '"),
        word=a_word("XX      = 'open    '"),
        true=a_word("XX      =                    T"),
        none=a_word("YY      =                    1"),
        big=a_word("XX      =  9223372036854775807"),
    )
    for condition, names in (
        ("XX=5", {"number", "text"}),
        ("XX=5.0", {"number"}),
        ("xx = 7", {"integer"}),
        ("XX>5", {"integer", "big"} | {"word"}),
        ("XX>=5", {"number", "integer", "big", "text", "word"}),
        ("XX<7", {"number", "text"}),
        ("XX!=5", {"integer", "word", "true", "big"}),
        ("XX=open", {"word"}),
        ("XX!=open", {"number", "integer", "text", "true", "big"}),
        ("XX=T", {"true"}),
        ("XX!=T", {"number", "integer", "text", "word", "big"}),
        ("XX=9223372036854775807", {"big"}),
        ("ESO DET ID=chip 1", {"number"}),
        ("HIERARCH ESO DET ID = chip 1", {"number"}),
        ("ESO.DET.ID=chip 1", {"number"}),
        ("ZZ!=1", set()),
        ("XX='", set()),
        ('XX="a"', set()),
    ):
        found = {name.removesuffix(".fits") for name in await archive.find(condition)}
        assert found == names, condition
    assert await archive.find("XX>5", "XX<8") == ["integer.fits"]


async def test_a_keyword_is_found_in_any_spelling(archive: Archive) -> None:
    def a_word(*cards: str) -> bytes:
        return a_primary(*map(a_card, cards))

    await add(
        archive,
        hyphen=a_word("AA-BB   =                    1"),
        underscore=a_word("AA_BB   =                    2"),
        both=a_word("AA-BB   =                    3", "AA_BB   =                    4"),
        words=a_word("HIERARCH AA BB = 5"),
        many=a_word("HIERARCH ESO DET-ID X = 6"),
        record=a_word(
            "DW3     = 'EXTVER: 1'", "DW3     = 'AXIS.1: 2'", "DW3     = 'AXIS.1: 9'", "DW3     = 'NAME: x'"
        ),
    )
    for condition, names in (
        ("AA-BB<9", {"hyphen", "underscore", "both", "words"}),
        ("aa_bb=2", {"underscore"}),
        ("aa.bb=5", {"words"}),
        # The very keyword wins where there is one.
        ("AA-BB=3", {"both"}),
        ("AA_BB=4", {"both"}),
        ("AA-BB=4", set()),
        ("AA BB!=1", {"underscore", "both", "words"}),
        ("eso_det_id_x=6", {"many"}),
        ("ESO-DET-ID-X!=7", {"many"}),
        ("DW3.AXIS.1=2", {"record"}),
        ("dw3_axis_1>1", {"record"}),
        ("DW3 AXIS-1=9", set()),
        ("DW3.EXTVER=1", {"record"}),
        ("DW3.NAME=x", {"record"}),
    ):
        found = {name.removesuffix(".fits") for name in await archive.find(condition)}
        assert found == names, condition


async def test_records_of_a_series_are_those_of_each_file(archive: Archive) -> None:
    files = {
        f"s{number}": a_gmos_file(
            f"DW3     = 'AXIS.{1 + number % 2}: {number}'", "DW3     = 'NAXES: 2'", EXPTIME=10.0 * number
        )
        for number in range(1, 7)
    }
    await add(archive, **files)
    for condition, names in (
        ("DW3.AXIS.1>0", {"s2", "s4", "s6"}),
        ("DW3.AXIS.2>0", {"s1", "s3", "s5"}),
        ("DW3.AXIS.1=4", {"s4"}),
        ("DW3.NAXES=2", set(files)),
    ):
        found = {name.removesuffix(".fits") for name in await archive.find(condition)}
        assert found == names, condition
    async with archive.context.database.begin() as connection:
        kept = await connection.exec_driver_sql("SELECT count(series_id) FROM frame")
        assert kept.scalar_one() >= 1


def an_image(*cards: str) -> bytes:
    """Return an image extension without data."""
    needed = ("XTENSION= 'IMAGE   '", "BITPIX  =                    8", "NAXIS   =                    0")
    counts = ("PCOUNT  =                    0", "GCOUNT  =                    1")
    return a_header_unit(*needed, *counts, *cards)


async def test_keywords_of_every_hdu_are_searched_and_the_first_to_say_one_wins(archive: Archive) -> None:
    # Equal in most cards, so that all but the first are kept as differences.
    files = {
        f"s{number}": a_gmos_file(
            *(
                "CCDSUM  = '2 2     '",
                f"GAIN    = {1.5 + number / 10:20.1f}",
                "SHUT    =                    T",
            ),
            EXPTIME=10.0 * number,
        )
        + an_image(f"GAIN    = {9.0 + number:20.1f}", f"AMPNUM  = {number:20d}", "AMPNAME = 'left    '")
        + an_image(f"AMPNUM  = {100 + number:20d}", "COLD    =                    F")
        for number in range(1, 7)
    }
    await add(archive, **files)
    for condition, names in (
        ("GAIN=1.7", {"s2"}),
        ("GAIN>9", set()),
        ("AMPNUM=3", {"s3"}),
        ("AMPNUM>=100", set()),
        ("AMPNUM<3", {"s1", "s2"}),
        ("AMPNAME=left", set(files)),
        ("AMPNAME=Left", set()),
        ("COLD=F", set(files)),
        ("SHUT=F", set()),
        ("CCDSUM=2 2", set(files)),
        ("EXPTIME>=50", {"s5", "s6"}),
    ):
        found = {name.removesuffix(".fits") for name in await archive.find(condition)}
        assert found == names, condition
    async with archive.context.database.begin() as connection:
        kept = await connection.exec_driver_sql("SELECT count(*), count(series_id) FROM frame")
        frames, differences = kept.one()
    assert frames == len(files)
    assert differences >= 1


@pytest.mark.parametrize("text", ["FOO", "=5", "A B C", 'A"B=5', "A\\=1", "x" * 80 + "=1"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(BadPredicate, match="write KEYWORD=VALUE"):
        parse_predicate(text)


@pytest.mark.parametrize(
    "text", ["1,2", "a,b,c", "0,91,1", "0,0,-1", "0,0,181", "nan,0,1", "0,nan,1", "0,0,nan"]
)
def test_what_is_no_cone_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="RA"):
        Cone.parse(text)


@pytest.mark.parametrize(
    "cursor",
    ["x", "bnVsbA==", "WzEsMl0=", "W251bGwsIDFlOTld", "W251bGwsIDk5OTk5OTk5OTk5OTk5OTk5OTk5XQ==", "é"],
)
async def test_a_cursor_that_no_search_returned_is_refused(archive: Archive, cursor: str) -> None:
    with pytest.raises(BadCursor):
        await archive.page(cursor=cursor)


@pytest.mark.parametrize(
    "content",
    ['["0001-01-01T00:00:00+14:00", 5]', '["9999-12-31T23:59:59-14:00", 5]', "[" * 20_000],
    ids=["before the calendar", "after the calendar", "deeply nested"],
)
async def test_a_cursor_without_an_instant_is_refused(archive: Archive, content: str) -> None:
    with pytest.raises(BadCursor):
        await archive.page(cursor=base64.urlsafe_b64encode(content.encode()).decode())


def _separation_deg(ra1: float, dec1: float, ra2: float, dec2: float) -> float:
    """Return the angle between two directions by the formula of Vincenty, exact at all angles."""
    a, b, d = math.radians(dec1), math.radians(dec2), math.radians(ra2 - ra1)
    x = math.cos(b) * math.sin(d)
    y = math.cos(a) * math.sin(b) - math.sin(a) * math.cos(b) * math.cos(d)
    z = math.sin(a) * math.sin(b) + math.cos(a) * math.cos(b) * math.cos(d)
    return math.degrees(math.atan2(math.hypot(x, y), z))


SKY = [(0.0, 90.0), (123.0, -90.0), (0.0, 0.0), (359.9999, 0.0), (180.0, 89.9), (10.0, -89.9), (180.0, 0.0)]


@pytest.fixture
async def sky(
    postgres: EmbeddedServer, tmp_path: object
) -> AsyncIterator[tuple[Archive, dict[str, tuple[float, float]]]]:
    async with an_archive(postgres, tmp_path) as archive:  # type: ignore[arg-type]
        chance = random.Random(5)
        places = SKY + [
            (round(chance.uniform(0, 360), 6), round(math.degrees(math.asin(chance.uniform(-1, 1))), 6))
            for _ in range(150)
        ]
        files = {f"p{number}": place for number, place in enumerate(places)}
        await add(archive, **{name: a_gmos_file(RA=ra, DEC=dec) for name, (ra, dec) in files.items()})
        yield archive, {f"{name}.fits": place for name, place in files.items()}


async def test_cones_are_true_circles_everywhere(
    sky: tuple[Archive, dict[str, tuple[float, float]]],
) -> None:
    archive, places = sky
    chance = random.Random(6)
    centres = [*SKY, (360.0, 0.0), (-0.0001, 0.0)] + [
        (chance.uniform(0, 360), chance.uniform(-90, 90)) for _ in range(25)
    ]
    for ra, dec in centres:
        for radius in (0.0, 1e-4, 0.2, 5.0, 60.0, 120.0, 179.9, 180.0):
            found = set(await archive.find(cone=Cone(ra, dec, radius)))
            apart = {name: _separation_deg(ra, dec, *place) for name, place in places.items()}
            assert found >= {name for name, one in apart.items() if one <= radius - 1e-8}, (ra, dec, radius)
            assert found <= {name for name, one in apart.items() if one <= radius + 1e-8}, (ra, dec, radius)
    for ra, dec in places.values():
        assert await archive.find(cone=Cone(ra, dec, 0.0)), (ra, dec)


async def test_pages_return_every_frame_once_while_others_come_in(archive: Archive) -> None:
    def files(word: str) -> dict[str, bytes]:
        dates = ("2026-01-01", "2026-01-02", None)
        return {f"{word}{n}": a_gmos_file(DATE_OBS=dates[n % 3], UT=f"0{n % 5}:00:00") for n in range(30)}

    await add(archive, **files("first"))
    wanted = set(await archive.find(name="first*"))
    found: list[str] = []
    cursor = None
    for number in range(100):
        page = await archive.page(limit=4, cursor=cursor)
        found += [frame["name"] for frame in page.frames]
        if (cursor := page.cursor) is None:
            break
        put(archive.directory / "more" / f"late{number}.fits", a_gmos_file(UT=f"0{number % 5}:00:00"))
        await asyncio.gather(archive.ingest(archive.directory / "more"), asyncio.sleep(0))
    assert len(found) == len(set(found))
    assert wanted <= set(found)
    assert len(wanted) == 30


async def test_proprietary_coordinates_are_hidden_and_not_searched(archive: Archive) -> None:
    hidden = a_gmos_file("PROP_MD =                    T", RELEASE="2999-01-01")
    await add(archive, a=hidden, b=a_gmos_file("PROP_MD =                    F"))
    cone = Cone(83.6331, 22.0145, 1.0)
    assert set(await archive.find(cone=cone)) == {"a.fits", "b.fits"}
    assert await archive.find(cone=cone, viewer=STRANGER) == ["b.fits"]
    assert await archive.find(object="M 1", viewer=STRANGER) == ["b.fits"]
    page = await archive.page(viewer=STRANGER)
    shown = {frame["name"]: (frame["ra_deg"], frame["object"]) for frame in page.frames}
    assert shown == {"a.fits": (None, None), "b.fits": (83.6331, "M 1")}


@pytest.mark.parametrize("condition", ["RA>0", "OBJECT=M 1", "DEC=22.0145", "AIRMASS>0", "CRVAL1>0"])
async def test_keywords_give_no_hidden_coordinates_away(archive: Archive, condition: str) -> None:
    cards = (
        "AIRMASS =                  1.1",
        "CRVAL1  =              83.6331",
        "PROP_MD =                    T",
    )
    await add(archive, a=a_gmos_file(*cards, RELEASE="2999-01-01"))
    assert await archive.find(condition) == ["a.fits"]
    assert await archive.find(condition, viewer=STRANGER) == []
