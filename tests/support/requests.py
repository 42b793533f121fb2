"""Edit requests as validation lets them through: an example, and a strategy for all of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from armillary.archive import models as quality
from armillary.edits.models import PRIMARY, EditRequest, Target
from armillary.edits.validation import Rules, checked
from armillary.fits.keywords import is_protected
from armillary.fits.models import CardChange, Value
from tests.support.headers import PRINTABLE, numbers

RULES = Rules()
TARGET = Target("N20260101S0001.fits")
MD5 = "0123456789abcdef" * 2


def changes(*pairs: tuple[str, Value]) -> tuple[CardChange, ...]:
    """Return changes of keywords and values."""
    return tuple(CardChange(keyword, value) for keyword, value in pairs)


def a_request(*pairs: tuple[str, Value], **fields: Any) -> EditRequest:
    """Return a request that sets cards."""
    return EditRequest(**{"target": TARGET, "cards": changes(*pairs)} | fields)


_words = st.sampled_from(
    [
        *(card for word in quality.QA_CARDS for card in quality.qa_cards(word) or ()),
        *quality.SITE_CARDS.values(),
    ]
)
_days = st.dates().map(lambda day: ("RELEASE", day.isoformat()))
_texts = st.text(PRINTABLE, max_size=80)
_free = st.tuples(
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", min_size=1, max_size=8).filter(
        lambda word: not is_protected(word) and word not in ("RELEASE", "COMMENT", "HISTORY")
    ),
    st.one_of(_texts, numbers, st.booleans(), st.none()),
)
_appended = st.tuples(st.sampled_from(("COMMENT", "HISTORY")), _texts)
_names = st.text(PRINTABLE, min_size=1, max_size=20).filter(lambda name: bool(name.strip()))
_numbers = st.integers(-(1 << 63), (1 << 63) - 1)
_digests = st.none() | st.binary(min_size=16, max_size=16).map(bytes.hex)
_ids = st.none() | st.text(max_size=20)


@st.composite
def requests(draw: st.DrawFn) -> EditRequest:
    """Draw requests that validation lets through, in their normal form."""
    strict = draw(st.booleans())
    cards = st.one_of(_free, _words, _days) if strict else st.one_of(_free, _words, _days, _appended)
    request = EditRequest(
        target=Target(draw(_ids), draw(_ids)),
        primary=changes(*draw(st.lists(_words | _days, max_size=3))),
        extension=draw(st.one_of(st.just(PRIMARY), st.integers(0, 99), _names, st.tuples(_names, _numbers))),
        cards=changes(*draw(st.lists(cards, max_size=4))),
        reject_new=strict,
        if_data_md5=draw(_digests),
        expect_data_md5=draw(_digests),
    )
    return checked(request, RULES)
