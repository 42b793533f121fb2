"""What others may ask of headers: exposures, headers and their revisions, services, consumers, announcements."""

from armillary.headers.delivery.annex import Annex
from armillary.headers.delivery.announcements import page
from armillary.headers.delivery.consumers import (
    list_all as consumers,
)
from armillary.headers.delivery.consumers import (
    pending,
    register,
    remove,
    start_at,
    take,
    take_up_to,
)
from armillary.headers.delivery.following import following, wait_for
from armillary.headers.delivery.queries import exposures, find, transitions
from armillary.headers.delivery.reading import (
    Asked,
    Form,
    asked_of,
    card,
    difference,
    form,
    get,
    revisions,
    state_of,
)
from armillary.headers.exposures.store import needed_since
from armillary.headers.merging.explaining import Explained, Using, explain, using
from armillary.headers.merging.store import Merged
from armillary.headers.merging.store import of_file as merged
from armillary.headers.services.asking import command, enable, status, statuses
from armillary.headers.services.clocks import source_clocks
from armillary.headers.services.configuration import names_in
from armillary.headers.services.replaying import replay
from armillary.headers.services.running import run
from armillary.headers.services.store import metrics

__all__ = [
    "Annex",
    "Asked",
    "Explained",
    "Form",
    "Merged",
    "Using",
    "asked_of",
    "card",
    "command",
    "consumers",
    "difference",
    "enable",
    "explain",
    "exposures",
    "find",
    "following",
    "form",
    "get",
    "merged",
    "metrics",
    "names_in",
    "needed_since",
    "page",
    "pending",
    "register",
    "remove",
    "replay",
    "revisions",
    "run",
    "source_clocks",
    "start_at",
    "state_of",
    "status",
    "statuses",
    "take",
    "take_up_to",
    "transitions",
    "using",
    "wait_for",
]
