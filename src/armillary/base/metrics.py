"""What the process counts, in the form that Prometheus reads."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

REGISTRY = CollectorRegistry()
"""The registry of this process; nothing of other libraries gets in."""

ORDERS_FINISHED = Counter(
    "armillary_work_orders_finished", "Work orders that left Started.", ["kind", "state"], registry=REGISTRY
)
ORDERS_CLAIMED = Counter(
    "armillary_work_orders_claimed", "Work orders claimed, followers included.", ["kind"], registry=REGISTRY
)
LEASES_LOST = Counter(
    "armillary_work_leases_lost", "Claims that somebody else got before we were done.", registry=REGISTRY
)
ORDERS_RUNNING = Gauge("armillary_work_orders_running", "Handler calls in progress.", registry=REGISTRY)
HANDLER_SECONDS = Histogram(
    "armillary_work_handler_seconds",
    "Duration of handler calls.",
    ["kind"],
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300),
    registry=REGISTRY,
)
REQUESTS = Counter("armillary_http_requests", "Answered requests.", ["method", "status"], registry=REGISTRY)
REQUESTS_REFUSED = Counter(
    "armillary_http_requests_limited", "Requests of callers that were over their limit.", registry=REGISTRY
)
CONNECTIONS = Gauge("armillary_http_connections", "Connections of clients that are open.", registry=REGISTRY)
CONNECTIONS_DROPPED = Counter(
    "armillary_http_connections_dropped",
    "Connections that were ended because of a limit, by the code of the error.",
    ["code"],
    registry=REGISTRY,
)
REQUEST_SECONDS = Histogram(
    "armillary_http_request_seconds",
    "Time from the first byte of a request to the last of its answer.",
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300),
    registry=REGISTRY,
)
PIPE_ENQUEUED = Counter("armillary_pipe_enqueued", "Items that were stored in queues.", registry=REGISTRY)
PIPE_HANDED_OUT = Counter(
    "armillary_pipe_handed_out", "Items that left their queue, or were leased.", registry=REGISTRY
)
PIPE_BATCHES = Histogram(
    "armillary_pipe_batch_requests",
    "Requests that one transaction carried out together.",
    ["work"],
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
    registry=REGISTRY,
)

ProcessCollector(namespace="armillary", registry=REGISTRY)
