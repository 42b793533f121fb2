"""The resolved configuration of an instrument, its templates and the catalogue, as frozen values.

Durations are integer nanoseconds. What files may leave out is filled in here: a `Recipe` is complete by itself,
and equal recipes have equal `rev`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta, Struct

from armillary.headers.models import Level, Required

SECOND = 1_000_000_000
Duration = Annotated[int, Meta(extra={"form": "duration"})]
"""Nanoseconds, which files write as ``0.5s`` or ``2min``."""
GEOMETRY_CARDS = frozenset(
    {"DETSIZE", "DATASEC", "DETSEC", "DTV1", "DTV2", "DTM1_1", "DTM1_2", "DTM2_1", "DTM2_2"}
)
BUILT_IN = frozenset({"DATE", "FILENAME", "TIMESYS", "HEADVER"}) | GEOMETRY_CARDS
"""Cards that rendering fills by itself when a template lists them; HEADVER is the revision of rendering."""


class Clock(StrEnum):
    """What the seconds in a payload count: TAI since 1970-01-01 TAI, or UTC since 1970-01-01 UTC (twice)."""

    TAI = "tai"
    UTC = "utc"
    UNIX = "unix"


class Scope(StrEnum):
    """How long a value lives."""

    STATIC = "static"
    DYNAMIC = "dynamic"
    VISIT = "visit"
    EXPOSURE = "exposure"
    DERIVED = "derived"


class Pick(StrEnum):
    """How one value comes of the samples at a moment or in a window."""

    ASOF = "asof"
    INTERP = "interp"
    MEAN = "mean"
    MEDIAN = "median"
    STD = "std"
    MIN = "min"
    MAX = "max"
    FIRST = "first"
    LAST = "last"
    COUNT = "count"


class Type(StrEnum):
    """What a value is made before it stands in the header; `time` is an ISO instant in TIMESYS."""

    STR = "str"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    TIME = "time"


class Site(Struct, frozen=True):
    """Where the telescope is: degrees north and east, metres above the ellipsoid."""

    lat: float
    lon: float
    height: float


class ImageId(Struct, frozen=True):
    """How an image id is made of its parts: ``{camera}_{controller}_{day:8}_{seq:6}``."""

    pattern: str = "{camera}_{controller}_{day:8}_{seq:6}"


class SourceEntry(Struct, frozen=True):
    """A component of the bus, with the clock of its payloads and their own time field."""

    component: str
    clock: Clock = Clock.TAI
    time: str | None = None
    max_age: Duration | None = None


class MomentEntry(Struct, frozen=True, rename={"otherwise": "else"}):
    """The event that is a moment, and the fields that name the image, its exposure time and its timeout."""

    source: str
    topic: str
    id: str
    otherwise: str | None = None
    exposure: str | None = None
    timeout: str | None = None


class Timing(Struct, frozen=True):
    """Waits of an exposure in ns; `default` is its expected length without timeout and exposure time."""

    d1: Duration = SECOND // 2
    d2: Duration = 60 * SECOND
    readout_grace: Duration = 5 * SECOND
    margin: Duration = 30 * SECOND
    default: Duration = 300 * SECOND


class Detectors(Struct, frozen=True):
    """Which detectors an exposure has: the list `ids` of a topic (as of integration_start), else `fallback`."""

    source: str | None = None
    topic: str | None = None
    ids: str | None = None
    split: str = ":"
    fallback: tuple[str, ...] = ()


class Keyed(Struct, frozen=True):
    """A value by its name: delimited names in one field, delimited values in another."""

    keys: str
    values: str
    name: str
    split: str = ":"


class PerDetector(Struct, frozen=True):
    """A list with one item per detector, and the field with their ids in the same order."""

    ids: str
    split: str = ":"


class Block(Struct, frozen=True):
    """A sample of many instants: `times` is the field with their seconds on the clock of the source."""

    times: str


class Source(Struct, frozen=True, rename={"origin": "from"}):
    """Where a value is: component, topic and field; `origin` is `from` in files, a name of `Recipe.sources`."""

    origin: str
    topic: str
    field: str | None = None
    index: int | None = None
    keyed: Keyed | None = None
    per_detector: PerDetector | None = None
    enum: str | None = None
    match: str | None = None
    block: Block | None = None


class Instant(Struct, frozen=True, tag="instant"):
    """A moment of the exposure, and an offset in ns."""

    moment: str
    offset: int = 0


class Window(Struct, frozen=True, tag="window"):
    """A closed interval of the exposure; the value in force at its opening belongs to it."""

    opening: Instant
    closing: Instant


At = Instant | Window


class Unit(Struct, frozen=True, rename={"given": "in"}):
    """The unit of the telemetry (`in` in files) and that of the card, by astropy's names; "1" has none."""

    given: str
    out: str


class Valid(Struct, frozen=True):
    """Which values are accepted: a closed range, a list, or a regular expression that matches the whole text."""

    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] | None = None
    pattern: str | None = None


class Fallback(Struct, frozen=True):
    """What is tried if the source gives nothing: exactly one of a source, an expression or a constant.

    The other fields stand in for those of the keyword where the other source needs them.
    """

    source: Source | None = None
    derive: str | None = None
    constant: str | int | float | bool | None = None
    at: At | None = None
    unit: Unit | None = None
    max_age: Duration | None = None


class Keyword(Struct, frozen=True):
    """How the value of one card comes from telemetry."""

    source: Source | None = None
    at: At = Instant("integration_start")
    pick: Pick = Pick.ASOF
    angle: float | None = None
    unit: Unit | None = None
    scale: float | None = None
    offset: float | None = None
    type: Type | None = None
    max_age: Duration | None = None
    """In ns; that of the source where the keyword has none."""
    valid: Valid | None = None
    when: str | None = None
    fallback: tuple[Fallback, ...] = ()
    required: Required = Required.NONE
    hdu: Level = Level.PRIMARY
    comment: str = ""
    scope: Scope | None = None
    settle: Duration = 0


class Derived(Struct, frozen=True):
    """A card that is computed from others, at the moment `at` where the function needs an instant."""

    expression: str
    at: Instant | None = None
    unit: str | None = None
    type: Type | None = None
    valid: Valid | None = None
    when: str | None = None
    required: Required = Required.NONE
    hdu: Level = Level.PRIMARY
    comment: str = ""
    scope: Scope = Scope.DERIVED


class Constant(Struct, frozen=True):
    """A card whose value stands in the configuration."""

    value: str | int | float | bool
    unit: str | None = None
    required: Required = Required.NONE
    hdu: Level = Level.PRIMARY
    comment: str = ""
    scope: Scope = Scope.STATIC


class Reading(Struct, frozen=True):
    """One parameter of the geometry: an ordinary source at a moment, or a constant."""

    source: Source | None = None
    at: Instant = Instant("integration_start")
    constant: str | int | None = None


class Geometry(Struct, frozen=True):
    """Where vendor, columns, rows and prescan of amplifiers come from; defaults of the vendor otherwise."""

    vendor: Reading | None = None
    cols: Reading | None = None
    rows: Reading | None = None
    prescan: Reading | None = None


class Waiver(Struct, frozen=True):
    """A finding that is accepted: its code, the name it is about, and why."""

    code: str
    name: str
    reason: str


class Recipe(Struct, frozen=True):
    """The whole resolved configuration of an instrument; `rev` is the hash of everything else."""

    instrument: str
    timesys: str = "TAI"
    site: Site | None = None
    image_id: ImageId = ImageId()
    sources: dict[str, SourceEntry] = {}
    moments: dict[str, MomentEntry] = {}
    timing: Timing = Timing()
    detectors: Detectors = Detectors()
    enums: dict[str, dict[str, int]] = {}
    constants: dict[str, Constant] = {}
    keywords: dict[str, Keyword] = {}
    derive: dict[str, Derived] = {}
    geometry: Geometry = Geometry()
    merge: dict[str, tuple[str, ...]] = {}
    """Per consumer the keywords that it merges into its pixels."""
    waive: tuple[Waiver, ...] = ()
    rev: str = ""


class Slot(Struct, frozen=True):
    """The place of a card in a template. A value of its own makes it a constant of the template."""

    key: str
    hierarch: bool = False
    constant: str | int | float | bool | None = None
    comment: str | None = None


class Section(Struct, frozen=True):
    """Cards under one title; those before the first title have none."""

    cards: tuple[Slot, ...]
    title: str | None = None


class HduTemplate(Struct, frozen=True):
    """One kind of HDU: `name` is its EXTNAME with `{detector}` and `{segment}`, `order` the codes of segments."""

    sections: tuple[Section, ...]
    name: str | None = None
    order: tuple[str, ...] = ()
    inherit: bool = False
    enabled: bool = True

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The cards of all sections, in order."""
        return tuple(slot for section in self.sections for slot in section.cards)


class Template(Struct, frozen=True):
    """Which cards stand on which HDU of a product, in order; `rev` is the hash of everything else."""

    name: str
    instrument: str
    product: str
    volatile: tuple[str, ...] = ("DATE", "FILENAME")
    hdus: dict[Level, HduTemplate] = {}
    rev: str = ""


class FieldEntry(Struct, frozen=True):
    """What a field of the telemetry is: str, int, float, bool or list, and its unit."""

    type: str
    unit: str | None = None


class TopicEntry(Struct, frozen=True):
    """A topic of a component: events or telemetry, and its fields."""

    kind: str
    fields: dict[str, FieldEntry] = {}


class Finding(Struct, frozen=True, order=True):
    """What lint has to say about a line of a file.

    `name` is what a waiver names, `instrument` the one that it concerns; the catalogue concerns all.
    """

    file: str
    line: int
    code: str
    message: str
    name: str = ""
    instrument: str = ""


class Catalogue(Struct, frozen=True):
    """The topics of all components. An entry `weather` holds for `weather:INDEX` without an own one."""

    components: dict[str, dict[str, TopicEntry]] = {}

    def topics(self, component: str) -> dict[str, TopicEntry] | None:
        """Return the topics of a component, if the catalogue has it."""
        return self.components.get(component, self.components.get(component.partition(":")[0]))

    def topic(self, component: str, topic: str) -> TopicEntry | None:
        """Return the entry of a topic, if the catalogue has it."""
        return (self.topics(component) or {}).get(topic)
