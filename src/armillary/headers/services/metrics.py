"""What a header service counts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from armillary.base.metrics import REGISTRY

EVENTS = Counter(
    "armillary_header_events", "Events of exposures that came.", ["instrument"], registry=REGISTRY
)
STRANGE = Counter(
    "armillary_header_events_strange", "Events that name no image.", ["instrument"], registry=REGISTRY
)
ANNOUNCED = Counter(
    "armillary_header_revisions",
    "Revisions of headers that were announced.",
    ["instrument"],
    registry=REGISTRY,
)
UNCHANGED = Counter(
    "armillary_header_unchanged",
    "Headers made again that had the same content.",
    ["instrument"],
    registry=REGISTRY,
)
FAILURES = Counter(
    "armillary_header_failures", "Attempts to make a header that failed.", ["instrument"], registry=REGISTRY
)
INCOMPLETE = Counter(
    "armillary_header_incomplete",
    "Announced headers without a value that ingest needs.",
    ["instrument"],
    registry=REGISTRY,
)
OPEN = Gauge(
    "armillary_header_exposures",
    "Exposures of which a header is to be made.",
    ["instrument"],
    registry=REGISTRY,
)
STAGES = Histogram(
    "armillary_header_seconds",
    "Time of the stages of a header, from the arrival of its last event to the announcement.",
    ["instrument", "stage"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
    registry=REGISTRY,
)
STORED = Counter(
    "armillary_header_objects", "Objects of headers stored and compared.", ["instrument"], registry=REGISTRY
)
