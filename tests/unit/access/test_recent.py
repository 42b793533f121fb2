"""What is remembered of tokens lasts for seconds, and not beyond what makes it untrue."""

from __future__ import annotations

import pytest

from armillary.access import recent
from armillary.access.models import Principal
from armillary.access.recent import Found, Recent, forget_everywhere

ANN = Principal("ann")
DIGEST = b"d" * 32


@pytest.fixture
def kept() -> Recent:
    one = Recent()
    one.turn(on=True)
    return one


def keep(one: Recent, digest: bytes = DIGEST, *, left_s: float | None = None, began_s: float = 10.0) -> None:
    found = Found(ANN, left_s)
    one.keep(digest, found, began_s=began_s, seconds=5.0, generation=one.generation)


@pytest.mark.parametrize(("left_s", "lasts_s"), [(None, 5.0), (60.0, 5.0), (2.0, 2.0), (0.0, 0.0)])
def test_it_lasts_for_seconds_and_never_beyond_the_token(
    kept: Recent, left_s: float | None, lasts_s: float
) -> None:
    keep(kept, left_s=left_s)
    assert [kept.find(DIGEST, 10.0 + lasts_s * part) for part in (0.0, 0.99)] == [
        ANN if lasts_s else None
    ] * 2
    assert kept.find(DIGEST, 10.0 + lasts_s) is None
    assert kept.find(b"other", 10.0) is None


def test_an_answer_from_before_everything_was_forgotten_is_not_kept(kept: Recent) -> None:
    generation = kept.generation
    # A look-up is under way, and has seen the token as it was.
    forget_everywhere()
    kept.keep(DIGEST, Found(ANN, None), began_s=10.0, seconds=5.0, generation=generation)
    assert kept.find(DIGEST, 10.0) is None
    keep(kept)
    assert kept.find(DIGEST, 10.0) is ANN


def test_nothing_is_kept_by_who_does_not_listen(kept: Recent) -> None:
    keep(kept)
    kept.turn(on=False)
    assert kept.find(DIGEST, 10.0) is None
    keep(kept)
    assert len(kept) == 0
    silent = Recent()
    keep(silent)
    assert len(silent) == 0


def test_it_has_a_bound(kept: Recent) -> None:
    for number in range(recent.MOST + 3):
        keep(kept, str(number).encode())
    assert len(kept) == recent.MOST
    assert kept.find(b"2", 10.0) is None
    assert kept.find(b"3", 10.0) is ANN
