"""The page for developers names what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PAGE = (TOP / "docs" / "develop.md").read_text()
PLACES = sorted(set(re.findall(r"`((?:src|tests|scripts|docs)/[\w./-]+)`", PAGE)))
ORDERS = sorted(set(re.findall(r"`make (\w+)`", PAGE)))


@pytest.mark.parametrize("place", PLACES)
def test_a_place_exists(place: str) -> None:
    assert (TOP / place).exists()


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_of_make_exists(order: str) -> None:
    assert re.search(rf"^{order}:", (TOP / "Makefile").read_text(), re.MULTILINE)


def test_the_names_of_the_recipes_are_in_the_code() -> None:
    code = "\n".join(path.read_text() for path in (TOP / "src").rglob("*.py"))
    tests = "\n".join(path.read_text() for path in (TOP / "tests").rglob("*.py") if path != Path(__file__))
    for name in (
        "dialects_of",
        "DIALECT",
        "KINDS",
        "Kind",
        "Period",
        "claim.completing",
        "step(",
        "ask(",
        "submit(",
    ):
        assert name in code, name
    for name in ("SURFACES", "EDITORIAL"):
        assert name in tests, name
    assert len(PLACES) > 15
