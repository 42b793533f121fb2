"""What others may ask of queues of items: in and out, claims, the queues themselves, statuses of machines."""

from armillary.pipe import claims, machines, queues
from armillary.pipe.exchange import Exchange, opened
from armillary.pipe.payloads import is_shown, name_of, payload_of
from armillary.pipe.store import forget

__all__ = [
    "Exchange",
    "claims",
    "forget",
    "is_shown",
    "machines",
    "name_of",
    "opened",
    "payload_of",
    "queues",
]
