"""What rendering takes and gives: moments and exposures in, headers of cards out."""

from __future__ import annotations

from typing import Any, TypeAlias

from msgspec import Struct

from armillary.base.bus.models import Identity
from armillary.headers.models import Level, Reason

CODE_REV = "1"
"""Changes when equal samples and configuration give other values than before, and only then."""
DEFINED, UNDEFINED = "defined", "undefined"
CONSTANT, DERIVED, BUILT_IN = "constant", "derived", "built_in"
"""What stands as the source of a card whose value is no sample's."""

Scalar: TypeAlias = str | int | float | bool | None


class Moment(Struct, frozen=True):
    """An instant of an exposure (TAI ns), the sample that was it, and why it is another one, if it is.

    Flags: ``fallback:NAME`` where another moment stands in, ``deadline`` where it was expected in vain.
    """

    name: str
    t: int | None = None
    sample: Identity | None = None
    flag: str | None = None


class Exposure(Struct, frozen=True):
    """An image, its moments, and the payloads of their events by moment."""

    instrument: str
    image_id: str
    moments: dict[str, Moment] = {}
    payloads: dict[str, dict[str, Any]] = {}


class Finding(Struct, frozen=True):
    """What is odd about a header, in the form that rules say it, too."""

    rule: str
    severity: str
    keyword: str
    text: str
    group: str = "rendering"
    expected: Any = None
    actual: Any = None
    residual: float | None = None
    unit: str = ""
    hypothesis: str | None = None


class Missing(Struct, frozen=True):
    """A required card without a value, and why."""

    key: str
    reason: str


# Cards hold no cycles, and a large header has fifty thousand of them: nothing for the garbage collector.
class Card(Struct, frozen=True, gc=False):
    """One keyword of one HDU with all that is known of its value.

    ``sample_time`` is TAI ns, ``fallback`` the index of the fallback that was used. ``raw`` is the value as it was
    received; of an undefined card, what could not be used.
    """

    hdu: str
    key: str
    value: Scalar
    unit: str | None = None
    comment: str = ""
    status: str = DEFINED
    reason: Reason | None = None
    source: str | None = None
    topic: str | None = None
    field: str | None = None
    seq: int | None = None
    sample_time: int | None = None
    age_s: float | None = None
    at: str | None = None
    pick: str | None = None
    fallback: int | None = None
    raw: Any = None


class Hdu(Struct, frozen=True):
    """The cards of one HDU in order. ``sections`` are titles, each with the index of the card it precedes."""

    name: str
    cards: list[Card]
    level: Level = Level.PRIMARY
    detector: str | None = None
    segment: str | None = None
    inherit: bool = False
    sections: tuple[tuple[int, str], ...] = ()


class Header(Struct, frozen=True):
    """The header of an image in one product, complete or not; ``created`` is TAI ns."""

    instrument: str
    image_id: str
    product: str
    day_obs: int
    seq_num: int
    hdus: list[Hdu]
    moments: dict[str, Moment]
    findings: list[Finding]
    missing: list[Missing]
    complete: bool
    science_complete: bool
    simulated: bool
    content_hash: str
    inputs_hash: str
    config_rev: str
    template_rev: str
    created: int
    completeness: dict[str, float] = {}
    volatile: tuple[str, ...] = ()
    code_rev: str = CODE_REV

    def card(self, key: str, hdu: str = "PRIMARY") -> Card | None:
        """Return the card of a keyword on an HDU."""
        for one in self.hdus:
            if one.name == hdu:
                return next((card for card in one.cards if card.key == key), None)
        return None


class Provenance(Struct, frozen=True, gc=False):
    """Where a value is from, as its card tells."""

    source: str | None = None
    topic: str | None = None
    field: str | None = None
    seq: int | None = None
    sample_time: int | None = None
    age_s: float | None = None
    at: str | None = None
    pick: str | None = None
    fallback: int | None = None
