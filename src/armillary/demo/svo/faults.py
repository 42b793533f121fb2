"""What goes wrong on request: an answer that comes late, or not at all, or says that the server is away."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What happens to a request."""

    DELAY = "delay"
    """It is answered after ``seconds``."""
    DROP_BEFORE = "drop-before"
    """The connection ends, and nothing was done."""
    DROP_AFTER = "drop-after"
    """The connection ends without an answer when everything is done."""
    STATUS = "status"
    """It is answered with ``status``, and nothing was done."""
    HALF = "half"
    """The location of a new record is stored, the record is not, and the answer is 500."""


@dataclass
class Fault:
    """What happens to the next ``times`` requests of a method whose path matches, after ``skip`` that pass.

    ``location`` is where an answer with a ``status`` sends clients.
    """

    kind: Kind
    method: str = "*"
    path: str = ""
    times: int = 1
    skip: int = 0
    status: int = 503
    seconds: float = 0.0
    retry_after: str = ""
    location: str = ""

    def is_meant(self, method: str, path: str) -> bool:
        """Tell whether a request is one of those."""
        return self.method in ("*", method) and re.search(self.path, path) is not None


@dataclass
class Faults:
    """What is still to go wrong."""

    waiting: list[Fault] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, fault: Fault) -> None:
        """Let something go wrong."""
        with self.lock:
            self.waiting.append(fault)

    def clear(self) -> None:
        """Let all go well from now on."""
        with self.lock:
            self.waiting.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """Return what happens to a request, once per time."""
        with self.lock:
            for fault in self.waiting:
                if fault.is_meant(method, path):
                    if fault.skip > 0:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    if fault.times <= 0:
                        self.waiting.remove(fault)
                    return fault
        return None
