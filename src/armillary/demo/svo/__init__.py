"""A small SOLARNET Virtual Observatory: a real HTTP server with the habits of the real one, traps included.

It is there to try publishing without publishing anything, and for tests. It keeps everything in memory and shares
no code with the client that it is for, so that a mistake of one is not repeated by the other.
`python -m armillary.demo.svo --port 8765 --key-file svo.key` runs it.
"""

from armillary.demo.svo.faults import Fault, Kind
from armillary.demo.svo.keywords import KEYWORDS, a_dataset
from armillary.demo.svo.replies import Reply
from armillary.demo.svo.server import Asked, Svo, running
from armillary.demo.svo.world import Dataset, Keyword, Location, Record, User, World

__all__ = [
    "KEYWORDS",
    "Asked",
    "Dataset",
    "Fault",
    "Keyword",
    "Kind",
    "Location",
    "Record",
    "Reply",
    "Svo",
    "User",
    "World",
    "a_dataset",
    "running",
]
