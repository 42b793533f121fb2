from __future__ import annotations

import math

import pytest

from armillary.fits.errors import InvalidKeyword, InvalidValue
from armillary.fits.keywords import check_value, is_protected, normalise_keyword


@pytest.mark.parametrize("text", ["RAWIQ", "rawiq", "DATE-OBS", "A_1", "12345678", "-"])
def test_keyword_is_normalised_to_upper_case(text: str) -> None:
    assert normalise_keyword(text) == text.upper()


@pytest.mark.parametrize(
    "text", ["", " ", "A B", "A.B", "123456789", "RAWIQ ", "Ä", "ß", "ſ", "A\n", 5, None]
)
def test_invalid_keyword_is_named(text: object) -> None:
    with pytest.raises(InvalidKeyword) as raised:
        normalise_keyword(text)
    assert raised.value.message == f"Invalid keyword: {text}"


@pytest.mark.parametrize(
    "keyword",
    [
        *(
            "SIMPLE",
            "XTENSION",
            "BITPIX",
            "NAXIS",
            "NAXIS1",
            "NAXIS999",
            "PCOUNT",
            "GCOUNT",
            "GROUPS",
            "EXTEND",
        ),
        *("END", "THEAP", "TFIELDS", "TFORM1", "TBCOL22", "TDIM3", "TSCAL1", "TZERO1", "TNULL9", "BSCALE"),
        *("BZERO", "BLANK", "EXTNAME", "EXTVER", "EXTLEVEL", "INHERIT", "CHECKSUM", "DATASUM", "CONTINUE"),
        *("LONGSTRN", "HIERARCH", "", "        ", "ZSIMPLE", "ZTENSION", "ZBITPIX", "ZNAXIS", "ZNAXIS2"),
        *("ZTILE1", "ZCMPTYPE", "ZNAME1", "ZVAL1", "ZMASKCMP", "ZQUANTIZ", "ZDITHER0", "ZPCOUNT", "ZGCOUNT"),
        *("ZEXTEND", "ZBLOCKED", "ZHECKSUM", "ZDATASUM", "ZBLANK", "ZSCALE", "ZZERO", "ZIMAGE", "naxis1"),
    ],
)
def test_structural_keyword_is_protected(keyword: str) -> None:
    assert is_protected(keyword)


@pytest.mark.parametrize(
    "keyword", ["RAWIQ", "TFORM", "NAXISX", "TELESCOP", "ZD", "ZENITH", "HISTORY", "OBJECT"]
)
def test_other_keyword_is_not(keyword: str) -> None:
    assert not is_protected(keyword)


def test_site_may_add_protected_keywords() -> None:
    assert is_protected("TELESCOP", ["telescop"])


@pytest.mark.parametrize("value", ["", "x" * 1000, " ~", True, 0, -(1 << 63), (1 << 63) - 1, 1.5, None])
def test_value_that_a_card_can_hold_is_returned(value: object) -> None:
    assert check_value("A", value) is value


@pytest.mark.parametrize(
    "value",
    ["x" * 1001, "é", "\n", "\x7f", 1 << 63, -(1 << 63) - 1, math.nan, math.inf, 1j, [], {}, b"x"],
)
def test_other_value_is_refused(value: object) -> None:
    with pytest.raises(InvalidValue) as raised:
        check_value("A", value)
    assert raised.value.message == "Invalid value for keyword A"
    assert raised.value.__notes__


@pytest.mark.parametrize("value", [None, 5, True, 1.5])
def test_commentary_takes_strings_only(value: object) -> None:
    with pytest.raises(InvalidValue):
        check_value("HISTORY", value)


def test_limit_of_strings_is_adjustable() -> None:
    with pytest.raises(InvalidValue):
        check_value("A", "xxx", max_string=2)
